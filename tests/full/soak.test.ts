import { expect, it } from "vitest";
import { useRuntime } from "../harness/runtime.ts";

/** Containers of the soak; KATA_SOAK_RUNS for a shorter look. */
const RUNS = Number(process.env.KATA_SOAK_RUNS ?? 200);

// Its leak check looks at the whole suite's traces afterwards.
const runtime = useRuntime();

it(
  `runs ${RUNS} containers one after the other, without a failure or a trace`,
  async () => {
    const bundle = runtime.bundle({ args: ["true"] });
    for (let run = 0; run < RUNS; run++) {
      const { status, stderr } = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
      expect({ run, status, stderr }).toEqual({ run, status: 0, stderr: "" });
    }
    expect(await runtime.ok(["list", "--quiet"])).toBe("");
  },
  RUNS * 30_000,
);

/**
 * Commands after which daemon and agent have all the memory that they need: their heaps reach a level (1.1 and 0.8 MB above that
 * after ten commands) and stay there.
 */
const WARM = 400;
/** What garbage not yet collected may make of a difference, bytes: a hundred commands that kept 3 KiB each are more. */
const NOISE = 256 << 10;

it(
  `runs ${RUNS} commands in one container, and after the first ${WARM} neither daemon nor agent grows`,
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
    const end = await execs(RUNS);
    console.log(`soak: ${JSON.stringify({ warm, end })}`);
    expect(end.shim).toBeLessThan(warm.shim + NOISE);
    expect(end.agent).toBeLessThan(warm.agent + NOISE);
    await runtime.ok(["delete", "--force", id]);
  },
  RUNS * 30_000,
);

/** Resident bytes of the daemon and of the agent. */
async function memoryOf(id: string): Promise<{ shim: number; agent: number }> {
  const text = await runtime.ok(["metrics", id]);
  const of = (who: string) =>
    Number(new RegExp(`^kata_${who}_process_resident_memory_bytes (\\d+)$`, "m").exec(text)?.[1]);
  return { shim: of("shim"), agent: of("agent") };
}
