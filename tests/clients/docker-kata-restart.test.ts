import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, launchDockerd, startDocker } from "./engine.ts";
import { Scribes } from "./scribes.ts";

let engine: Engine;
let before: string[];

beforeAll(async () => {
  engine = await startDocker({ settings: { "live-restore": true } });
  before = await engine.host.inventory();
}, 180_000);
afterAll(() => engine?.host[Symbol.asyncDispose]());

const sh = (script: string) => engine.host.run(script, engine.env, 90);

/** dockerd, and its containerd, which ends with it. */
const KILL = "pkill -KILL -x dockerd; while pgrep -x 'dockerd|containerd' > /dev/null; do sleep 0.05; done";

for (const runtime of ["runc", "kata"] as const)
  test(`${runtime}: dockerd and its containerd are killed while five containers run: all are there again, what ended meanwhile is told, no line of those that run is lost`, {
    timeout: 600_000,
  }, async () => {
    const scribes = await Scribes.start(engine, { runtime, options: "-d" });
    const [first = "", ...others] = scribes.names;
    await scribes.write(100);
    // What dockerd has read and not yet written would be lost with it, whatever the runtime.
    for (const name of scribes.names) await scribes.hasWholeLog(name, 100);
    const ended = await scribes.ended([first]);
    await sh(KILL);
    // Nobody listens.
    await scribes.write(200);
    await scribes.write(300, [first]);
    await scribes.end([first]);
    // dockerd (20.10) keeps the network of a container that ends while it starts, whatever the runtime.
    await ended();
    await launchDockerd(engine);
    const running = Object.fromEntries(others.map((name) => [name, "running"]));
    await expect.poll(() => scribes.states()).toEqual({ ...running, [first]: "exited 9" });
    // The FIFO of a container that has ended goes with its last writer, containerd's shim, and what nobody has read with it.
    await scribes.hasLogFrom(first, 100);
    for (const name of others) await scribes.hasWholeLog(name, 200);
    for (const name of others)
      expect((await sh(`docker exec ${name} echo still here`)).stdout).toBe("still here\n");
    await scribes.write(300, others);
    const waiting = sh(`docker wait ${others.join(" ")}`);
    await scribes.end(others);
    expect((await waiting).stdout).toBe("9\n".repeat(others.length));
    for (const name of others) await scribes.hasWholeLog(name, 300);
    await scribes.remove();
  });

test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
  await expect.poll(() => engine.host.inventory()).toEqual(before);
});
