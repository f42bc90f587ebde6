import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

function killDaemon(): void {
  for (const line of findTraces(runtime.traces())) {
    const pid = /^process (\d+): .*containerd-shim-kata-v2/.exec(line)?.[1];
    if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
  }
}

const told = (id: string) =>
  `kata-runtime: the daemon of container ${id} is gone, and the container with it ` +
  `(kata-runtime delete --force ${id} removes what is left)\n`;

it("whose daemon was killed: each command that needs it says so in the same line, the others go on", async () => {
  const id = await runtime.start();
  const events = exitOf(runtime.spawn(["events", id], { stdio: ["ignore", "ignore", "pipe"] }));
  const created = await runtime.create();
  killDaemon();
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  for (const [command, ...more] of [
    ["pause"],
    ["resume"],
    ["update", "--pids-limit", "20"],
    ["ps"],
    ["ps", "--format", "json"],
    ["metrics"],
    ["exec", "true"],
    ["events"],
    ["events", "--stats"],
  ]) {
    const options = command === "exec" ? [id, ...more] : [...more, id];
    const { status, stdout, stderr } = await runtime.kata([command ?? "", ...options]);
    expect({ command, stdout, stderr }).toEqual({ command, stdout: "", stderr: told(id) });
    expect(status).not.toBe(0);
  }
  expect((await runtime.kata(["start", created])).stderr).toBe(told(created));
  expect(await events).toEqual({ status: 1, stderr: told(id) });
  // In runc's words, which callers know.
  expect((await runtime.kata(["kill", id])).stderr).toBe("kata-runtime: container not running\n");
  await runtime.ok(["delete", id]);
  expect((await runtime.kata(["ps", id])).stderr).toContain(`container "${id}" does not exist`);
});

it("one that has ended by itself is no lost one", async () => {
  const id = await runtime.start({ args: ["true"] });
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  killDaemon();
  await expect
    .poll(() => findTraces(runtime.traces()).filter((line) => line.startsWith("process")))
    .toEqual([]);
  expect((await runtime.kata(["pause", id])).stderr).toBe("kata-runtime: container not running\n");
  expect((await runtime.kata(["exec", id, "true"])).stderr).toContain("cannot exec in a stopped container");
  expect((await runtime.ok(["ps", "--format", "json", id])).trim()).toBe("null");
});
