import { expect, it } from "vitest";
import { hostObjects } from "../harness/host-objects.ts";
import { findTraces } from "../harness/leaks.ts";
import { type Memory, NOISE, parseMemory, WARM } from "../harness/memory.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { useRuntime } from "../harness/runtime.ts";

/** Containers of the soak; KATA_SOAK_RUNS for a shorter look. */
const RUNS = Number(process.env.KATA_SOAK_RUNS ?? 200);
/** Commands of the sentence. */
const EXECS = 100;
/**
 * How much longer than the first containers the last may take. What grows with each container (a directory or a list that is
 * gone through) takes its time little by little; other work on this machine does so too, hence not less.
 */
const SLOWER = 2;

// Its leak check looks at the whole suite's traces afterwards.
const runtime = useRuntime();

it(
  `creates, starts and deletes ${RUNS} sandboxes one after the other, without a failure, a trace or growth`,
  async () => {
    const bundle = runtime.bundle({ args: ["true"] });
    const daemons: number[] = [];
    const agents: number[] = [];
    const seconds: number[] = [];
    let warm: string[] = [];
    for (let run = 0; run < RUNS; run++) {
      const began = performance.now();
      const id = await runtime.createFrom(bundle);
      const { daemon, agent } = await memoryOf(id);
      await startToEnd(id);
      await runtime.ok(["delete", id]);
      seconds.push((performance.now() - began) / 1000);
      daemons.push(daemon);
      agents.push(agent);
      expect({ run, left: findTraces(runtime.traces()) }).toEqual({ run, left: [] });
      if (run + 1 === WARM) warm = hostObjects();
    }
    const growth = { daemon: growthOf(daemons), agent: growthOf(agents), seconds: growthOf(seconds) };
    // make bench reads it.
    console.log(`soak, sandboxes: ${JSON.stringify(growth)}`);
    expect(await runtime.ok(["list", "--quiet"])).toBe("");
    // Each sandbox has processes of its own: what grows from one to the next would be in the files that it starts with.
    expect(growth.daemon.last).toBeLessThanOrEqual(growth.daemon.first + NOISE);
    expect(growth.agent.last).toBeLessThanOrEqual(growth.agent.first + NOISE);
    expect(growth.seconds.last).toBeLessThanOrEqual(growth.seconds.first * SLOWER);
    await expectNothingNew(warm);
  },
  RUNS * 30_000,
);

it(
  `creates, starts and deletes ${RUNS} containers in one pod, and after the first ${WARM} neither daemon nor agent grows`,
  async () => {
    const sandbox = await runtime.start(sandboxOptions());
    const bundle = runtime.bundle(await memberOptions(runtime, sandbox, { args: ["true"] }));
    const containers = async (count: number) => {
      for (let run = 0; run < count; run++) {
        const id = await runtime.createFrom(bundle);
        await startToEnd(id);
        await runtime.ok(["delete", id]);
      }
      return await memoryOf(sandbox);
    };
    const warm = await containers(WARM);
    const before = hostObjects();
    const end = await containers(RUNS - WARM);
    console.log(`soak, containers: ${JSON.stringify({ warm, end })}`);
    expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
    expectNoGrowth(warm, end);
    await expectNothingNew(before);
  },
  RUNS * 30_000,
);

it(
  `runs ${EXECS} commands in one container, and after the first ${WARM} neither daemon nor agent grows`,
  async () => {
    const id = await runtime.start();
    const execs = async (count: number) => {
      for (let run = 0; run < count; run++) {
        const { status, stderr } = await runtime.kata(["exec", id, "true"]);
        expect({ run, status, stderr }).toEqual({ run, status: 0, stderr: "" });
      }
      return await memoryOf(id);
    };
    const warm = await execs(WARM);
    const before = hostObjects();
    const end = await execs(EXECS - WARM);
    console.log(`soak, commands: ${JSON.stringify({ warm, end })}`);
    expectNoGrowth(warm, end);
    await expectNothingNew(before);
  },
  EXECS * 30_000,
);

// A process that is killed while its pages are read once died in its own exit, of a defect in Linux: packages/agent, MountNamespace.
it(
  `sees the end of ${RUNS} containers of a pod that are killed as they start`,
  async () => {
    const sandbox = await runtime.start(sandboxOptions());
    const bundle = runtime.bundle(await memberOptions(runtime, sandbox, { args: ["sleep", "1000"] }));
    for (let run = 0; run < RUNS; run++) {
      const id = await runtime.createFrom(bundle);
      await runtime.ok(["start", id]);
      await runtime.ok(["kill", id, "KILL"]);
      await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
      await runtime.ok(["delete", id]);
    }
  },
  RUNS * 30_000,
);

async function startToEnd(id: string): Promise<void> {
  await runtime.ok(["start", id]);
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
}

async function memoryOf(id: string): Promise<Memory> {
  return parseMemory(await runtime.ok(["metrics", id]));
}

function expectNoGrowth(warm: Memory, end: Memory): void {
  expect(end.daemon).toBeLessThanOrEqual(warm.daemon + NOISE);
  expect(end.agent).toBeLessThanOrEqual(warm.agent + NOISE);
}

/** On the host; what others begin there counts too, so tests/full/alone has none. What is ending gets a moment. */
async function expectNothingNew(before: readonly string[]): Promise<void> {
  const known = new Set(before);
  await expect.poll(() => hostObjects().filter((object) => !known.has(object))).toEqual([]);
}

/** Medians of the first and of the last WARM values. */
function growthOf(values: readonly number[]): { first: number; last: number } {
  const median = (some: readonly number[]) => some.toSorted((a, b) => a - b)[some.length >> 1] ?? 0;
  return { first: median(values.slice(0, WARM)), last: median(values.slice(-WARM)) };
}
