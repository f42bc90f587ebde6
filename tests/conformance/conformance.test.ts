import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Outcome, Suite } from "./suite.ts";

/**
 * Runs the OCI conformance suite, with runk unless RUNTIME says else; fails when a program does worse than the committed table says
 * (docs/conformance.md explains it). What was measured is left in build/conformance, to renew the table by.
 */
const runtime = process.env.RUNTIME ?? resolve("build/bin/runk");
const column = process.env.CONFORMANCE_COLUMN ?? "runk";

/** "pass 271 38 0": the verdict; points ok, skipped, not ok. */
type Row = Readonly<Record<string, string>>;
const expected: Readonly<Record<string, Row>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "expected.json"), "utf8"),
);

const suite = Suite.install();
const measured: Record<string, string> = {};
const RANK: readonly string[] = ["fail", "silent", "skip", "pass"];

test("the table has every program of the suite", () => {
  expect(Object.keys(expected).sort()).toEqual(suite.programs);
});

test.each(suite.programs)("%s does no worse than the table says", (program) => {
  const { verdict, ok, skipped, notOk, output } = runUntilPass(program);
  measured[program] = `${verdict} ${ok} ${skipped} ${notOk.length}`;
  const [before = "fail", okBefore, , notOkBefore] = (expected[program]?.[column] ?? "fail 0 0 0").split(" ");
  const rank = (name: string) => RANK.indexOf(name);
  expect(rank(verdict), output).toBeGreaterThanOrEqual(rank(before));
  if (verdict !== "pass") expect(ok, output).toBeGreaterThanOrEqual(Number(okBefore));
  if (verdict !== "pass") expect(notOk.length, output).toBeLessThanOrEqual(Number(notOkBefore));
});

/**
 * Programs that race with what they test, and fail now and then under runc, too. killsig: its signal may come before the shell's trap,
 * and the first process of a pid namespace gets no signal that it has no handler for.
 */
const RACY = new Set(["killsig"]);

function runUntilPass(program: string): Outcome {
  const first = suite.run(program, runtime);
  const rest = RACY.has(program) ? [1, 2, 3] : [];
  return rest.reduce((last, _) => (last.verdict === "pass" ? last : suite.run(program, runtime)), first);
}

afterAll(() => {
  suite[Symbol.dispose]();
  const directory = resolve("build/conformance");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${column}.json`), `${JSON.stringify(measured, null, 2)}\n`);
});
