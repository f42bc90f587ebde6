import { expect } from "vitest";
import type { Ended } from "../harness/process.ts";
import type { Engine, Runtime } from "./engine.ts";

/**
 * Runs a shell script on the engine's host, with `$run`, `$create`, `$remove`, `$c` and `$dir` as rows have them (rows/row.ts). Ids in its output
 * are `ID`. What containers it leaves are removed.
 * @param seconds how long it may take
 */
export async function runScript(
  { host, name, env, run, remove }: Engine,
  runtime: Runtime,
  script: string,
  seconds = 90,
): Promise<Ended> {
  try {
    const { stdout, stderr, status } = await host.run(
      `
      dir=$(mktemp -d -p ${host.path})
      c=${name} run="${run(runtime)}" create="${run(runtime).replace(" run ", " create ")}" remove="${remove}"
      ${script}
      `,
      env,
      seconds,
    );
    return { stdout: stdout.replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, "ID"), stderr, status };
  } finally {
    await host.run(`${name} ps -aq | xargs -r ${remove}`, env);
  }
}

/** The same with runc and with kata-runtime, which has to come to the same. @returns what it says */
export async function runAlike(engine: Engine, script: string, seconds?: number): Promise<string> {
  const runc = await runScript(engine, "runc", script, seconds);
  const kata = await runScript(engine, "kata", script, seconds);
  expect(kata.stdout, `${kata.stderr}\nrunc: ${runc.stderr}`).toBe(runc.stdout);
  expect(kata.status, kata.stderr).toBe(runc.status);
  return kata.stdout;
}
