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

it(
  `runs ${RUNS} commands in one container`,
  async () => {
    const id = await runtime.start();
    for (let run = 0; run < RUNS; run++) {
      const { status, stderr } = await runtime.kata(["exec", id, "true"]);
      expect({ run, status, stderr }).toEqual({ run, status: 0, stderr: "" });
    }
    await runtime.ok(["delete", "--force", id]);
  },
  RUNS * 30_000,
);
