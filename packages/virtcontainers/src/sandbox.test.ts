import type { Spec } from "@kata-containers/oci";
import { Fd, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pauseContainer, resumeContainer, updateContainer } from "./container-control.ts";
import type { ProcessExit } from "./process.ts";
import { installOps, noStdio, settle, type World, world } from "./testing/sandbox-world.ts";

beforeEach(installOps);
afterEach(() => setOps(undefined));

const spec: Spec = {
  ociVersion: "1.0.2",
  hostname: "box",
  process: { cwd: "/", args: ["sh"] },
  root: { path: "rootfs", readonly: true },
  mounts: [{ destination: "/data", type: "bind", source: "/srv", options: ["ro"] }],
  linux: { namespaces: [{ type: "network" }, { type: "pid" }, { type: "ipc" }] },
};

function create({ sandbox }: World, more: Partial<Spec> = {}): Promise<unknown> {
  const volumes = [{ index: 0, tree: new Fd(11), directory: true }];
  return sandbox.createContainer({
    id: "c",
    bundle: "/b",
    spec: { ...spec, ...more },
    rootfs: new Fd(10),
    volumes,
    stdio: noStdio,
    standIn: async () => 99,
  });
}

const status = ({ store }: World): string | undefined => store.load("c").containers[0]?.status;

test("the generic VM becomes the sandbox with its first container", async () => {
  const all = world();
  await create(all);
  expect(all.agent.asked.slice(0, 4)).toEqual([
    "Check",
    "ReseedRandomDev",
    "CreateSandbox",
    "CreateContainer",
  ]);
  expect(all.agent.requests.get("CreateSandbox")).toMatchObject({ hostname: "box", sandboxId: "c" });
  expect(all.store.load("c").containers[0]).toMatchObject({ status: "created", pid: 99 });
});

test("a machine that is a copy is told the time before its first container, for its clock stood still", async () => {
  const all = world({ setClock: true });
  await create(all);
  const { asked, requests } = all.agent;
  expect(asked.filter((method) => method === "SetGuestDateTime")).toHaveLength(1);
  expect(asked.indexOf("SetGuestDateTime")).toBeLessThan(asked.indexOf("CreateContainer"));
  expect(requests.get("SetGuestDateTime")).toEqual({ Sec: 1_700_000_000, Usec: 5250 });
});

test("one that booted has the time already", async () => {
  const all = world();
  await create(all);
  expect(all.agent.asked).not.toContain("SetGuestDateTime");
});

test("the domain name is the sandbox's, as the host's name is", async () => {
  const all = world();
  await create(all, { domainname: "example.org" });
  expect(all.agent.requests.get("CreateSandbox")).toMatchObject({
    hostname: "box",
    domainname: "example.org",
  });
});

test("a container that names no host has the host's name, as one that shares its UTS namespace", async () => {
  const all = world();
  await create(all, { hostname: "" });
  expect(all.agent.requests.get("CreateSandbox")).toMatchObject({ hostname: "host" });
});

test("the VM's processes are in the record as soon as they run", async () => {
  const all = world();
  await settle();
  expect(all.store.load("c").resources).toEqual([
    { kind: "process", name: "qemu", identity: { pid: 77, startTime: 1 } },
  ]);
});

test("a read-only volume is read-only on the host's side, and so is a read-only root once it is made", async () => {
  const all = world();
  await create(all);
  expect([...all.attached.values()]).toEqual([{ readOnly: true }, { readOnly: true }]);
});

test("a container that the agent refuses leaves nothing", async () => {
  const all = world();
  all.agent.refuse = "CreateContainer";
  await expect(create(all)).rejects.toThrow("agent: CreateContainer failed");
  expect(all.attached.size).toBe(0);
  expect(all.sandbox.containers()).toEqual([]);
});

test("its status follows the process, and the VM stops with its last container", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  expect(status(all)).toBe("running");
  all.agent.exit("c", 3);
  expect(await all.sandbox.wait("c", "")).toMatchObject({ status: 3 });
  await settle();
  expect(status(all)).toBe("stopped");
  expect(all.store.load("c").containers[0]).toMatchObject({ exitStatus: 3, pid: 0 });
  expect(all.machine.stops).toBe(1);
});

test("when the VM dies, every process has been killed and whoever waits is told", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  const waiting: Promise<ProcessExit>[] = [all.sandbox.wait("c", ""), all.sandbox.wait("c", "c")];
  all.machine.die("QEMU ended: out of memory");
  for (const exit of await Promise.all(waiting)) expect(exit.status).toBe(137);
  await settle();
  expect(status(all)).toBe("stopped");
  expect(await all.sandbox.vmEnded).toBe("QEMU ended: out of memory");
  expect(all.machine.stops).toBe(1);
});

test("what does not fit the state is refused in runc's words", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  await expect(all.sandbox.startContainer("c")).rejects.toThrow("cannot start an already running container");
  await expect(all.sandbox.removeContainer("c", false)).rejects.toThrow(
    "cannot delete container c that is not stopped: running",
  );
  await expect(create(all)).rejects.toThrow("already exists: c");
});

test("a container that is only created is not removed without force, and stays as it is", async () => {
  const all = world();
  await create(all);
  await expect(all.sandbox.removeContainer("c", false)).rejects.toThrow(
    "cannot delete container c that is not stopped: created",
  );
  expect(status(all)).toBe("created");
  expect(all.machine.stops).toBe(0);
});

test("a paused container takes an exec only when the pause is ignored, and resumes to what it was", async () => {
  const all = world();
  await create(all);
  await expect(resumeContainer(all.sandbox, "c")).rejects.toThrow("container not paused");
  await pauseContainer(all.sandbox, "c");
  expect(all.store.load("c").containers[0]?.status).toBe("paused");
  await expect(pauseContainer(all.sandbox, "c")).rejects.toThrow("container not running");
  await expect(all.sandbox.startContainer("c")).rejects.toThrow(
    "cannot start a container in the paused state",
  );
  await expect(all.sandbox.exec("c", "e", { cwd: "/" }, noStdio)).rejects.toThrow("in a paused container");
  await all.sandbox.exec("c", "e", { cwd: "/" }, noStdio, { ignorePaused: true });
  await resumeContainer(all.sandbox, "c");
  expect(all.sandbox.container("c").status).toBe("created");
});

test("the control groups of an exec reach the agent", async () => {
  const all = world();
  await create(all);
  await all.sandbox.exec("c", "e", { cwd: "/" }, noStdio, { cgroups: ["memory:x"] });
  expect(all.agent.requests.get("ExecProcess")).toMatchObject({ cgroups: ["memory:x"] });
});

test("an update of what a VM cannot have asks the agent for nothing", async () => {
  const all = world();
  await create(all);
  const before = all.agent.asked.length;
  const resources = { memory: { limit: 1 << 20 }, blockIO: { weight: 500 } };
  await expect(updateContainer(all.sandbox, "c", resources)).rejects.toThrow(
    "cannot update blockIO.weight: the VM",
  );
  expect(all.agent.asked.length).toBe(before);
  await updateContainer(all.sandbox, "c", { ...resources, blockIO: {} });
  expect(all.agent.requests.get("UpdateContainer")).toMatchObject({
    resources: { Memory: { Limit: 1048576n } },
  });
});

test("a cpuset is the sandbox's on the host, as long as the container runs", async () => {
  const all = world();
  await create(all);
  await updateContainer(all.sandbox, "c", { cpu: { cpus: "0", quota: 5000 } });
  expect(all.cpusets.get("c")).toBe("0");
  expect(all.agent.requests.get("UpdateContainer")).toMatchObject({
    resources: { CPU: { Quota: 5000, Cpus: undefined } },
  });
  await all.sandbox.startContainer("c");
  all.agent.exit("c", 0);
  await all.sandbox.wait("c", "");
  await settle();
  expect([...all.cpusets]).toEqual([]);
});

test("a forced removal of the last container stops the VM and forgets it", async () => {
  const all = world();
  await create(all);
  await all.sandbox.startContainer("c");
  await all.sandbox.removeContainer("c", true);
  expect(all.machine.stops).toBe(1);
  expect(all.attached.size).toBe(0);
  expect(all.store.load("c").containers).toEqual([]);
});
