import { afterAll, beforeAll, expect, test } from "vitest";
import { Compatibility, WORKS } from "../harness/compatibility.ts";
import { type Ended, eventually } from "../harness/process.ts";
import type { Engine, Runtime } from "./engine.ts";
import type { Row } from "./rows/row.ts";
import { runScript } from "./run-script.ts";

const SECONDS = 90;

function expectToShow({ stdout, stderr }: Ended, shows: RegExp | string): void {
  if (typeof shows === "string") expect(stdout, stderr).toBe(shows);
  else expect(stdout, stderr).toMatch(shows);
}

/**
 * Every row with runc and with another runtime, in one private host; at the end nothing may be there that was not there before.
 * @param suite what the cells of kata-runtime are noted by, if the client has several suites
 */
export function compareRuntimes(
  start: () => Promise<Engine>,
  rows: readonly Row[],
  runtime: Exclude<Runtime, "runc"> = "runk",
  suite?: string,
): void {
  let engine: Engine;
  let before: string[];
  let found: Compatibility;

  beforeAll(async () => {
    engine = await start();
    before = await engine.host.inventory();
    found = new Compatibility(suite ?? engine.name);
  }, 180_000);

  afterAll(async () => {
    if (runtime === "kata") found?.write();
    await engine?.host[Symbol.asyncDispose]();
  });

  test("the runtime is the one that was asked for", async () => {
    const { stdout, stderr } = await runScript(
      engine,
      runtime,
      `$create --name one box true > /dev/null; ${engine.runtimeOf} one`,
    );
    expect(stdout, stderr).toBe(`${runtime}\n`);
  });

  test.each(rows)("$name", { timeout: 2 * (SECONDS + 40) * 1000 }, async (row) => {
    const { name, script, shows, kata, withoutRunc = false } = row;
    const ours = await runScript(engine, runtime, script);
    if (runtime === "kata" && kata !== undefined) {
      if (!withoutRunc) expectToShow(await runScript(engine, "runc", script), shows);
      const said = `${ours.stdout}${ours.stderr}`;
      if (typeof kata.shows === "string") expect(ours.stdout, ours.stderr).toBe(kata.shows);
      else expect(said).toMatch(kata.shows);
      const refused = kata.why === "refused" && kata.shows instanceof RegExp;
      found.note(name, {
        runc: withoutRunc ? "not tried: it is the host that would be changed" : "works",
        kata: refused ? `refused: \`${kata.shows.exec(said)?.[0]}\`` : kata.why,
      });
      return;
    }
    const runc = await runScript(engine, "runc", script);

    expect(ours.stdout, ours.stderr).toBe(runc.stdout);
    expect(ours.status, ours.stderr).toBe(runc.status);
    expectToShow(ours, shows);
    found.note(name, WORKS);
  });

  test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
    await eventually("what was there before", async () => {
      const now = await engine.host.inventory();
      return now.join("\n") === before.join("\n") ? true : undefined;
    }).catch(() => {});
    expect(await engine.host.inventory()).toEqual(before);
  });
}
