import { openSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { statusOf } from "../harness/process.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const runScript = (script: string) =>
  runtime.kata(["run", "--bundle", runtime.bundle({ args: ["sh", "-c", script] }), runtime.newId()]);

describe("the exit status of run", () => {
  it("is the process's own", async () => {
    expect((await runScript("exit 42")).status).toBe(42);
  });

  it("is 128 + N when signal N ended the process", async () => {
    const id = runtime.newId();
    const bundle = runtime.bundle({ args: ["sh", "-c", "echo ready; sleep 1000"] });
    const child = runtime.spawn(["run", "--bundle", bundle, id], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    // From outside: the kernel ignores even SIGKILL that the first process of a pid namespace sends to itself.
    await runtime.ok(["kill", id, "KILL"]);
    expect(await statusOf(child)).toBe(137);
  });

  it("comes with every byte that was written before, whatever children still hold the pipe", async () => {
    const { status, stdout } = await runScript("sleep 1000 & seq 1 20000; exit 7");
    expect(status).toBe(7);
    expect(stdout.trimEnd().split("\n")).toHaveLength(20000);
  });
});

describe("signals", () => {
  const trap =
    "trap 'echo got TERM; exit 9' TERM; trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.05; done";

  it("reach the container's process through run", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", trap] });
    const child = runtime.spawn(["run", "--bundle", bundle, runtime.newId()], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout?.on("data", (chunk) => {
      out += chunk;
    });
    await expect.poll(() => out, { timeout: 60_000 }).toBe("ready\n");
    child.kill("SIGUSR1");
    await expect.poll(() => out).toBe("ready\ngot USR1\n");
    child.kill("SIGTERM");
    expect(await statusOf(child)).toBe(9);
    expect(out).toBe("ready\ngot USR1\ngot TERM\n");
  });

  it("reach it through kill, by name and by number, and through kata-shim", async () => {
    const file = runtime.scratch.join("signals");
    const id = runtime.newId();
    const bundle = runtime.bundle({ args: ["sh", "-c", trap] });
    const out = openSync(file, "w");
    const child = runtime.spawn(["run", "--detach", "--bundle", bundle, id], {
      stdio: ["ignore", out, "inherit"],
    });
    expect(await statusOf(child)).toBe(0);
    const text = () => readFileSync(file, "utf8");
    await expect.poll(text).toBe("ready\n");
    await runtime.ok(["kill", id, "SIGUSR1"]);
    await expect.poll(text).toBe("ready\ngot USR1\n");
    await runtime.ok(["kill", id, "10"]);
    await expect.poll(text).toBe("ready\ngot USR1\ngot USR1\n");
    process.kill((await runtime.state(id)).pid, "SIGTERM");
    await expect.poll(text).toBe("ready\ngot USR1\ngot USR1\ngot TERM\n");
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  });

  it("that are none are refused by name", async () => {
    const id = await runtime.start();
    const { status, stderr } = await runtime.kata(["kill", id, "SIGNOTHING"]);
    expect(status).toBe(1);
    expect(stderr).toContain('unknown signal "SIGNOTHING"');
  });

  it("during create undo everything", async () => {
    const bundle = runtime.bundle({ args: ["sleep", "1000"] });
    const child = runtime.spawn(["create", "--bundle", bundle, runtime.newId()], { stdio: "ignore" });
    await expect.poll(() => findTraces(runtime.traces()).some((line) => line.includes("qemu"))).toBe(true);
    child.kill("SIGTERM");
    expect(await statusOf(child)).toBe(1);
    expect(findTraces(runtime.traces())).toEqual([]);
  });
});

describe("the exit status of exec", () => {
  it("is the process's own, 128 + N after a signal, 127 when not found, 126 when not executable", async () => {
    const id = await runtime.start();
    const statusIn = async (...command: string[]) => (await runtime.kata(["exec", id, ...command])).status;
    expect(await statusIn("sh", "-c", "exit 5")).toBe(5);
    expect(await statusIn("sh", "-c", "kill -TERM $$")).toBe(143);
    expect(await statusIn("no-such-command")).toBe(127);
    expect(await statusIn("/etc/passwd")).toBe(126);
    expect((await runtime.state(id)).status).toBe("running");
  });

  it("comes with the end of the caller's pipes when the command cannot run", {
    timeout: 60_000,
  }, async () => {
    const id = await runtime.start();
    // Resolves at the end of stdout and stderr, which a daemon that keeps the descriptors would never let come.
    const ended = await runtime.kata(["exec", id, "no-such-command"], { timeoutMs: 15_000 });
    expect(ended.status).toBe(127);
  });
});
