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

/** Of what is expected to fail with our runtimes: the points that are not ok, as {@link pointsOf} has them. */
export const expectedNotOk: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> =
  JSON.parse(readFileSync(join(import.meta.dirname, "not-ok.json"), "utf8"));

/** The points that are not ok, in the words of every run: without the container's id. */
export function pointsOf({ notOk }: Outcome): string[] {
  const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
  return [...new Set(notOk.map((point) => point.replaceAll(id, "ID")))].sort();
}

export function entryOf({ verdict, ok, skipped, notOk }: Outcome): Entry {
  return `${verdict} ${ok} ${skipped} ${notOk.length}`;
}

const RANK: readonly string[] = ["fail", "silent", "skip", "pass"] satisfies Verdict[];

/**
 * Whether a program does worse than the table says: by its verdict, or, when that is the same, by its points. One that prints fewer has
 * ended early. `known`: another point that is not ok is worse, too.
 */
export function isWorse(outcome: Outcome, entry: Entry = "fail 0 0 0", known?: readonly string[]): boolean {
  const { verdict, ok, skipped, notOk } = outcome;
  const [before = "", okBefore, skippedBefore, notOkBefore] = entry.split(" ");
  const better = RANK.indexOf(verdict) - RANK.indexOf(before);
  if (better !== 0) return better < 0;
  if (known !== undefined && pointsOf(outcome).some((point) => !known.includes(point))) return true;
  return notOk.length > Number(notOkBefore) || ok + skipped < Number(okBefore) + Number(skippedBefore);
}
