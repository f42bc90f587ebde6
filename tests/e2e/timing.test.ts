import { expect, it } from "vitest";
import { testConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const COMMAND = ["validate", "spawn", "wait for the daemon", "start", "run", "delete"];
const { enable_template, vm_cache_number } = testConfiguration().factory;
/** One that waited has all of its machine's behind it. */
const MACHINE = [...(enable_template ? ["template"] : []), "host", "qemu", "kernel"];
const DAEMON = [...(vm_cache_number > 0 ? [] : MACHINE), "agent", "sandbox", "container"];
/** What printing to a tenth of a millisecond makes of a time or of a difference of two. */
const ROUNDING = 0.11;
/** Milliseconds between two of the daemon's phases that belong to none, on a busy machine. */
const GAP = 1000;

interface Row {
  readonly start: number;
  readonly end: number;
  readonly ms: number;
}

it("run --timing tells on standard error what each phase took: they follow one another and add up to the whole", async () => {
  const bundle = runtime.bundle({ args: ["echo", "output"] });
  const id = runtime.newId();
  const begun = performance.now();
  const { status, stdout, stderr } = await runtime.kata(["run", "--timing", "--bundle", bundle, id]);
  const wall = performance.now() - begun;
  expect({ status, stdout }).toEqual({ status: 0, stdout: "output\n" });
  const rows = rowsOf(stderr);

  const command = rows.get("cli") ?? new Map<string, Row>();
  expect([...command.keys()]).toEqual(COMMAND);
  expectToFollow([...command.values()], 0);
  const total = sum([...command.values()]);
  expect(total).toBeLessThanOrEqual(wall);
  // What comes before the first phase and after the last one: the program's start and end.
  expect(wall - total).toBeLessThan(8000);

  const daemon = rows.get("daemon") ?? new Map<string, Row>();
  expect([...daemon.keys()]).toEqual(DAEMON);
  const phases = [...daemon.values()];
  expectToFollow(phases.slice(0, DAEMON.indexOf("sandbox")), 0);
  expectToFollow(phases, GAP);
  // The daemon starts with the command's "spawn" and has made the container when the command has waited for it.
  expect(phases[0]?.start).toBeGreaterThanOrEqual((command.get("spawn")?.start ?? Number.NaN) - ROUNDING);
  expect(phases.at(-1)?.end).toBeLessThanOrEqual(
    (command.get("wait for the daemon")?.end ?? Number.NaN) + ROUNDING,
  );
  // Nothing that was done is done in no time.
  for (const phase of ["kernel", "container"].filter((each) => DAEMON.includes(each)))
    expect(daemon.get(phase)?.ms, phase).toBeGreaterThan(1);
});

it("run --timing-format json tells the same as JSON", async () => {
  const bundle = runtime.bundle({ args: ["true"] });
  const { status, stderr } = await runtime.kata([
    ...["run", "--timing-format", "json", "--bundle", bundle, runtime.newId()],
  ]);
  expect(status).toBe(0);
  const phases: { name: string; startMs: number; endMs: number }[] = JSON.parse(stderr);
  const names = [...COMMAND.map((name) => `cli: ${name}`), ...DAEMON.map((name) => `daemon: ${name}`)];
  expect(phases.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  for (const { name, startMs, endMs } of phases) expect(endMs, name).toBeGreaterThanOrEqual(startMs);
});

/** Rows by who tells them ("cli", "daemon") and by phase, in the order in which they are printed. */
function rowsOf(text: string): Map<string, Map<string, Row>> {
  const [head = "", ...lines] = text.trimEnd().split("\n");
  expect(head.split(/\s{2,}/)).toEqual(["phase", "start ms", "end ms", "ms"]);
  const rows = new Map<string, Map<string, Row>>();
  for (const line of lines) {
    const [, who = "", phase = "", ...numbers] =
      /^(\w+): (.+?) +([\d.]+) +([\d.]+) +([\d.]+) {2} *█+$/.exec(line) ?? [];
    const [start = Number.NaN, end = Number.NaN, ms = Number.NaN] = numbers.map(Number);
    expect(Math.abs(end - start - ms), line).toBeLessThan(2 * ROUNDING);
    const ofOne = rows.get(who) ?? new Map<string, Row>();
    rows.set(who, ofOne.set(phase, { start, end, ms }));
  }
  return rows;
}

/** Each begins where the one before has ended, at most `gap` milliseconds later. */
function expectToFollow(phases: readonly Row[], gap: number): void {
  for (const [at, { start }] of phases.entries()) {
    const before = phases[at - 1]?.end;
    if (before === undefined) continue;
    expect(start).toBeGreaterThanOrEqual(before - ROUNDING);
    expect(start).toBeLessThanOrEqual(before + gap + ROUNDING);
  }
}

const sum = (phases: readonly Row[]): number => phases.reduce((total, { ms }) => total + ms, 0);
