import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Verdict } from "./suite.ts";

/** "pass 271 38 0": the verdict; points ok, skipped, not ok. */
type Entry = string;

/**
 * What is expected of each program with each runtime (docs/conformance.md explains it); and, where it says nothing of a container in a
 * VM, `not in a VM`: why.
 */
export const expected: Readonly<Record<string, Readonly<Record<string, Entry>>>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "expected.json"), "utf8"),
);

export function entryOf({ verdict, ok, skipped, notOk }: Outcome): Entry {
  return `${verdict} ${ok} ${skipped} ${notOk.length}`;
}

const RANK: readonly string[] = ["fail", "silent", "skip", "pass"] satisfies Verdict[];

/**
 * Whether a program does worse than the table says: by its verdict, or, when that is the same, by its points. One that prints fewer has
 * ended early.
 */
export function isWorse({ verdict, ok, skipped, notOk }: Outcome, entry: Entry = "fail 0 0 0"): boolean {
  const [before = "", okBefore, skippedBefore, notOkBefore] = entry.split(" ");
  const better = RANK.indexOf(verdict) - RANK.indexOf(before);
  if (better !== 0) return better < 0;
  return notOk.length > Number(notOkBefore) || ok + skipped < Number(okBefore) + Number(skippedBefore);
}
