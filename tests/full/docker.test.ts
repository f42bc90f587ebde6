import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startDocker } from "../clients/engine.ts";

/** Containers one after the other; KATA_SOAK_RUNS for a shorter look. */
const RUNS = Number(process.env.KATA_SOAK_RUNS ?? 200);

let engine: Engine;

beforeAll(async () => {
  engine = await startDocker();
}, 180_000);
afterAll(() => engine?.host[Symbol.asyncDispose]());

test(
  `runs ${RUNS} containers with docker one after the other, without a failure or a trace`,
  async () => {
    const { host, env, run } = engine;
    const before = await host.inventory();
    for (let count = 1; count <= RUNS; count++) {
      const ended = await host.run(`${run("kata")} --rm box sh -c 'echo ${count}; exit 7'`, env, 120);
      expect(ended).toEqual({ status: 7, stdout: `${count}\n`, stderr: "" });
    }
    await expect.poll(() => host.inventory()).toEqual(before);
  },
  RUNS * 60_000,
);
