import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task, TaskStatus } from "@kata-containers/protocols";
import { expect, test } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { eventually, run } from "../harness/process.ts";
import { type Created, processSpec, useShims } from "../harness/shim.ts";

/** The ends of things, in the orders in which containerd and its clients bring them about. */

const shims = useShims();

/** The shim leaves when it is told that it may, and nothing is left. */
async function leaves({ id, shim, pid }: Created): Promise<void> {
  await shim.unary(Task.Shutdown, { id });
  await eventually("the shim has left", () => (existsSync(`/proc/${pid}`) ? undefined : true));
  expect(findTraces(shims.traces())).toEqual([]);
}

const sandbox = { "io.kubernetes.cri.container-type": "sandbox" };

/** A container of a pod, created. */
async function joined(pod: Created): Promise<{ id: string; bundle: string }> {
  const member = shims.bundle({
    annotations: { "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": pod.id },
    edit: (config) => {
      config.linux.namespaces = [{ type: "mount" }, { type: "network", path: `/proc/${pod.pid}/ns/net` }];
    },
  });
  await pod.shim.unary(Task.Create, member, { timeoutMs: 60_000 });
  return member;
}

test("what was only created is deleted, alone and in a pod", async () => {
  const pod = await shims.create({ annotations: sandbox });
  const member = await joined(pod);
  expect(await pod.shim.unary(Task.Delete, { id: member.id })).toMatchObject({ exitStatus: 137 });
  expect(await pod.shim.unary(Task.State, { id: pod.id })).toMatchObject({ status: TaskStatus.CREATED });
  expect(await pod.shim.unary(Task.Delete, { id: pod.id })).toMatchObject({ exitStatus: 137 });
  await leaves(pod);
});

test("a pod's own container deleted before the others, as containerd does when it ends first, takes nothing from them", async () => {
  const pod = await shims.run({ annotations: sandbox });
  const member = await joined(pod);
  await pod.shim.unary(Task.Start, { id: member.id });
  await pod.shim.unary(Task.Kill, { id: pod.id, signal: 9 });
  await pod.shim.unary(Task.Wait, { id: pod.id });
  expect(await pod.shim.unary(Task.Delete, { id: pod.id })).toMatchObject({ exitStatus: 137 });
  // containerd does so whenever a connection to a shim has ended.
  expect(await shims.command("delete", pod)).toMatchObject({ status: 0, stderr: "" });
  expect(await pod.shim.unary(Task.Wait, { id: member.id })).toMatchObject({ exitStatus: 137 });
  expect(await pod.shim.unary(Task.Delete, { id: member.id })).toMatchObject({ exitStatus: 137 });
  await leaves(pod);
});

test("when the VM dies, the end of a container's own process is told last", async () => {
  const { id, shim } = await shims.run();
  for (const execId of ["first", "second"]) {
    await shim.unary(Task.Exec, { id, execId, spec: processSpec(["sleep", "1000"]) });
    await shim.unary(Task.Start, { id, execId });
  }
  const vm = findTraces(shims.traces()).find((line) => line.includes("qemu-system"));
  process.kill(Number(/^process (\d+)/.exec(vm ?? "")?.[1]), "SIGKILL");
  await expect.poll(() => shims.exits()).toHaveLength(3);
  expect(shims.exits().at(-1)).toBe(id);
});

test("a logger that takes its time has all of it when the container was deleted", async () => {
  const log = shims.scratch.join("logged");
  const logger = shims.scratch.join("logger");
  writeFileSync(logger, `#!/bin/sh\nexec 5>&-\nsleep 1\ncat <&3 > ${log}\nsleep 0.5\necho end >> ${log}\n`, {
    mode: 0o755,
  });
  const { id, shim } = await shims.run({ args: ["echo", "out"] }, { stdout: `binary://${logger}` });
  await shim.unary(Task.Wait, { id });
  await shim.unary(Task.Delete, { id }, { timeoutMs: 30_000 });
  expect(readFileSync(log, "utf8")).toBe("out\nend\n");
});

test("a process that cannot be started keeps no descriptor of the shim's", async () => {
  const { id, bundle, shim, pid } = await shims.run();
  const stdin = join(bundle, "stdin");
  await run("mkfifo", [stdin]);
  const count = () => readdirSync(`/proc/${pid}/fd`).length;
  const before = count();
  for (let number = 0; number < 5; number++) {
    const execId = `e${number}`;
    await shim.unary(Task.Exec, {
      id,
      execId,
      stdin,
      stdout: "file:///dev/null",
      spec: processSpec(["nonesuch"]),
    });
    await expect(shim.unary(Task.Start, { id, execId })).rejects.toThrow(/executable file not found/);
    await shim.unary(Task.Delete, { id, execId });
  }
  // Fewer may be: at first an event may have been on its way.
  expect(count()).toBeLessThanOrEqual(before);
});
