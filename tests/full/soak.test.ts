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

/** Commands of the sentence, and after how many of them nothing may grow any more. */
const [EXECS, WARM] = [100, 10];
/**
 * What the allocator's free lists make of a difference, bytes: 60 KiB from the 10th command to the 100th, 130 KiB to the
 * 800th, with JavaScript's heap the same to 10 KiB. Commands that kept 1.5 KiB each are more.
 */
const NOISE = 128 << 10;

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
    const end = await execs(EXECS - WARM);
    console.log(`soak: ${JSON.stringify({ warm, end })}`);
    expect(end.shim).toBeLessThanOrEqual(warm.shim + NOISE);
    expect(end.agent).toBeLessThanOrEqual(warm.agent + NOISE);
    await runtime.ok(["delete", "--force", id]);
  },
  EXECS * 30_000,
);

/** Resident bytes of the daemon and of the agent. */
async function memoryOf(id: string): Promise<{ shim: number; agent: number }> {
  const text = await runtime.ok(["metrics", id]);
  const of = (who: string) =>
    Number(new RegExp(`^kata_${who}_process_resident_memory_bytes (\\d+)$`, "m").exec(text)?.[1]);
  return { shim: of("shim"), agent: of("agent") };
}
