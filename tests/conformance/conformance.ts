import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OciRuntime } from "./runtimes.ts";
import { DIRECTORY, type Outcome, Suite } from "./suite.ts";
import { entryOf, expected, expectedNotOk, isWorse, pointsOf } from "./table.ts";

/** How long a column may take, for each of its programs: most take 5 s, on a machine that does nothing else. */
const PROGRAM_MS = 30_000;

/** They look into the host's control groups, of cgroup v1 and of the same names: one at a time. */
const ON_CGROUPS = /^linux_cgroups_|^delete_(only_create_)?resources$/;
/** Where the hierarchies of cgroup v1 are mounted below a tmpfs (linux/magic.h). */
const IS_CGROUP_V1 = statfsSync("/sys/fs/cgroup").type === 0x01021994;

/**
 * Programs that race with what they test, and fail now and then under runc, too: their signal may come before the shell's trap (the
 * first process of a pid namespace gets no signal that it has no handler for), or after the end of `true`.
 */
const RACY = new Set(["killsig", "pidfile"]);
const TRIES = 3;

/**
 * The tests of one column of the table: each program that is run does no worse than it says. What was measured is left in
 * build/conformance, to renew the table by.
 */
export function testColumn(
  column: string,
  runtime: OciRuntime,
  options: { readonly atOnce: number; readonly isRun?: (program: string) => boolean },
): void {
  const { atOnce, isRun = () => true } = options;
  const suite = Suite.install();
  const programs = suite.programs.filter((each) => isRun(each) && (IS_CGROUP_V1 || !ON_CGROUPS.test(each)));
  const outcomes = new Map<string, Outcome>();

  beforeAll(async () => {
    const began = performance.now();
    const sharing = programs.filter((each) => ON_CGROUPS.test(each));
    const others = programs.filter((each) => !ON_CGROUPS.test(each));
    const work = async (...queues: string[][]) => {
      for (const queue of queues)
        for (let next = queue.shift(); next !== undefined; next = queue.shift())
          outcomes.set(next, await runAsExpected(next));
    };
    await Promise.all([work(sharing, others), ...Array.from({ length: atOnce - 1 }, () => work(others))]);
    report((performance.now() - began) / 1000);
  }, programs.length * PROGRAM_MS);

  function isWorseThanExpected(program: string, outcome: Outcome): boolean {
    return isWorse(outcome, expected[program]?.[column], expectedNotOk[program]?.[column]);
  }

  async function runAsExpected(program: string): Promise<Outcome> {
    let outcome = await suite.run(program, runtime);
    const isBad = () => isWorseThanExpected(program, outcome);
    for (let tries = 0; RACY.has(program) && tries < TRIES && isBad(); tries++)
      outcome = await suite.run(program, runtime);
    return outcome;
  }

  function report(seconds: number): void {
    const longest = [...outcomes]
      .sort(([, one], [, other]) => other.seconds - one.seconds)
      .slice(0, 5)
      .map(([program, outcome]) => `${program} ${outcome.seconds.toFixed(0)} s`);
    console.log(`${column}: ${outcomes.size} programs, ${seconds.toFixed(0)} s; ${longest.join(", ")}`);
    mkdirSync(DIRECTORY, { recursive: true });
    leave(`${column}.json`, entryOf);
    leave(`${column}-not-ok.json`, pointsOf);
  }

  function leave(file: string, measured: (outcome: Outcome) => string | readonly string[]): void {
    const all = programs.map((program) => {
      const outcome = outcomes.get(program);
      return [program, outcome && measured(outcome)];
    });
    writeFileSync(join(DIRECTORY, file), `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
  }

  test("the table has every program of the suite", () => {
    expect(Object.keys(expected).sort()).toEqual(suite.programs);
  });

  test.each(programs)("%s does no worse than the table says", (program) => {
    const outcome = outcomes.get(program);
    if (outcome === undefined) throw new Error(`${program} was not run`);
    const entry = expected[program]?.[column];
    expect(
      isWorseThanExpected(program, outcome),
      `${entryOf(outcome)}, not ${entry}:\n${outcome.output}`,
    ).toBe(false);
  });

  afterAll(() => suite[Symbol.dispose]());
}
