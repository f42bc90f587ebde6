import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expected } from "../tests/conformance/table.ts";

/* What docs/conformance.md promises of the table that the conformance suite is held against. */

const RUNTIMES = ["runc", "crun", "runk", "kata-runtime"] as const;
type Runtime = (typeof RUNTIMES)[number];

const programs = Object.keys(expected);
const entry = (program: string, runtime: Runtime) => expected[program]?.[runtime] ?? "";
const passes = (program: string, runtime: Runtime) => entry(program, runtime).startsWith("pass ");
const hasMeaning = (program: string) => expected[program]?.["not in a VM"] === undefined;
const page = readFileSync("docs/conformance.md", "utf8");
/** The cells of the line of a table that begins with this word. */
const cells = (first: string) =>
  page
    .split("\n")
    .find((line) => line.startsWith(`| ${first} |`))
    ?.split("|")
    .slice(2, -1)
    .map((cell) => cell.trim());

test("no program passes with runc or crun and not with runk", () => {
  const lost = programs.filter(
    (program) => (passes(program, "runc") || passes(program, "crun")) && !passes(program, "runk"),
  );
  expect(lost).toEqual([]);
});

test("at least 36 of the 58 programs pass with runk; one that prints no point does not", () => {
  expect(programs).toHaveLength(58);
  const passed = programs.filter((program) => passes(program, "runk"));
  expect(passed.length).toBeGreaterThanOrEqual(36);
  for (const program of passed) expect(entry(program, "runk")).toMatch(/^pass [1-9]\d* \d+ 0$/);
});

test.each(programs)("the page's line of %s is the table's", (program) => {
  const shown = RUNTIMES.map((runtime) => {
    const [verdict = "", ...points] = entry(program, runtime).split(" ");
    const text = verdict === "silent" ? verdict : `${verdict} ${points.join("/")}`;
    return runtime === "kata-runtime" && !hasMeaning(program) ? `(${text})` : text;
  });
  const line = cells(program) ?? [];
  expect(line.slice(0, 4).map((cell) => cell.replace(/\) [a-e]$/, ")"))).toEqual(shown);
  const isAsked = (runtime: Runtime) => runtime === "runk" || hasMeaning(program);
  const failing = RUNTIMES.slice(2).some(
    (runtime) => entry(program, runtime).startsWith("fail") && isAsked(runtime),
  );
  expect((line[4] ?? "") !== "").toBe(failing || program === "killsig");
});

test("the page's sums are the table's", () => {
  const sum = (runtime: Runtime, of: (words: readonly string[]) => number) =>
    programs
      .filter((program) => runtime !== "kata-runtime" || hasMeaning(program))
      .reduce((total, program) => total + of(entry(program, runtime).split(" ")), 0);
  const row = (of: (words: readonly string[]) => number) => RUNTIMES.map((runtime) => `${sum(runtime, of)}`);
  expect(cells("programs that pass")).toEqual(row(([verdict]) => (verdict === "pass" ? 1 : 0)));
  expect(cells("points ok")).toEqual(row(([, ok]) => Number(ok)));
  expect(cells("points not ok")).toEqual(row(([, , , notOk]) => Number(notOk)));
});
