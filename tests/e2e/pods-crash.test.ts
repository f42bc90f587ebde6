import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

async function pod(members: number): Promise<[sandbox: string, ...members: string[]]> {
  const sandbox = await runtime.start(sandboxOptions());
  const options = await memberOptions(runtime, sandbox);
  return [sandbox, ...(await Promise.all(Array.from({ length: members }, () => runtime.start(options))))];
}

const statusOf = async (id: string) => (await runtime.state(id)).status;

function kill(program: string): void {
  const found = findTraces(runtime.traces()).flatMap((line) => {
    const pid = /^process (\d+): (.*)/.exec(line);
    return pid?.[2]?.includes(program) ? [Number(pid[1])] : [];
  });
  expect(found, program).not.toEqual([]);
  for (const pid of found) process.kill(pid, "SIGKILL");
}

it.each(["containerd-shim-kata-v2", "qemu-system"])(
  "when %s was killed, every container of the pod has stopped, and is deleted in its turn",
  async (program) => {
    const [sandbox, one, two] = await pod(2);
    kill(program);
    for (const id of [sandbox, one, two]) await expect.poll(() => statusOf(id ?? "")).toBe("stopped");
    const early = await runtime.kata(["delete", sandbox]);
    expect(early.status).toBe(1);
    expect(early.stderr).toContain(`cannot delete sandbox "${sandbox}" while it has containers`);
    await runtime.ok(["delete", one ?? ""]);
    expect((await runtime.ok(["list", "--quiet"])).trim().split("\n").sort()).toEqual([sandbox, two].sort());
    await runtime.ok(["delete", two ?? ""]);
    await runtime.ok(["delete", sandbox]);
    expect(findTraces(runtime.traces())).toEqual([]);
  },
);

it("when the daemon was killed, delete --force of the sandbox takes all along", async () => {
  const [sandbox, member] = await pod(1);
  kill("containerd-shim-kata-v2");
  await runtime.ok(["delete", "--force", sandbox]);
  await runtime.ok(["delete", "--force", member ?? ""]);
  expect(findTraces(runtime.traces())).toEqual([]);
});

it("when a container's kata-shim was killed, that container has stopped and the pod goes on", async () => {
  const [sandbox, one, two] = await pod(2);
  process.kill((await runtime.state(one ?? "")).pid, "SIGKILL");
  await expect.poll(() => statusOf(one ?? "")).toBe("stopped");
  expect(await statusOf(sandbox)).toBe("running");
  expect(await runtime.ok(["exec", two ?? "", "echo", "here"])).toBe("here\n");
});

it("a create that is killed while it joins leaves an id that delete --force frees, and the pod as it was", async () => {
  const [sandbox] = await pod(0);
  const hook = runtime.scratch.join("slow-hook");
  writeFileSync(hook, `#!/bin/sh\necho > ${hook}.ran\nexec sleep 5\n`);
  chmodSync(hook, 0o755);
  const options = await memberOptions(runtime, sandbox, { hooks: { prestart: [{ path: hook }] } });
  const id = runtime.newId();
  const child = runtime.spawn(["create", "--bundle", runtime.bundle(options), id], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = exitOf(child);
  await expect.poll(() => existsSync(`${hook}.ran`), { timeout: 20_000 }).toBe(true);
  child.kill("SIGKILL");
  await ended;
  expect(await statusOf(id)).toBe("creating");
  await runtime.ok(["delete", "--force", id]);
  expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
  expect(await statusOf(sandbox)).toBe("running");
  const plain = await memberOptions(runtime, sandbox);
  const again = runtime.spawn(["create", "--bundle", runtime.bundle(plain), id], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  expect(await exitOf(again)).toEqual({ status: 0, stderr: "" });
});

it("a create that is interrupted while it joins undoes its part", async () => {
  const [sandbox] = await pod(0);
  const options = await memberOptions(runtime, sandbox);
  const id = runtime.newId();
  const child = runtime.spawn(["create", "--bundle", runtime.bundle(options), id], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = exitOf(child);
  await expect.poll(() => existsSync(`${runtime.root}/${id}`), { timeout: 20_000 }).toBe(true);
  child.kill("SIGTERM");
  const { status } = await ended;
  // It may have been quicker than the signal.
  if (status === 0) await runtime.ok(["delete", "--force", id]);
  expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
  expect(await statusOf(sandbox)).toBe("running");
});
