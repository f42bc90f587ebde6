import type { Spec } from "@kata-containers/oci";
import { Fd, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { updateContainer } from "./container-control.ts";
import { installOps, noStdio, settle, type World, world } from "./testing/sandbox-world.ts";

beforeEach(installOps);
afterEach(() => setOps(undefined));

const spec: Spec = {
  ociVersion: "1.0.2",
  process: { cwd: "/", args: ["sh"] },
  root: { path: "rootfs" },
  linux: { namespaces: [{ type: "network" }, { type: "pid" }, { type: "ipc" }] },
};

/** The sandbox's own container is `c`. */
async function make({ sandbox, store }: World, id: string, more: Partial<Spec> = {}): Promise<void> {
  if (id !== "c") store.join(id, "c");
  await sandbox.createContainer({
    id,
    bundle: "/b",
    spec: { ...spec, ...more },
    rootfs: new Fd(10),
    volumes: [],
    stdio: noStdio,
    standIn: async () => 99,
  });
}

async function pod(...ids: string[]): Promise<World> {
  const all = world();
  for (const id of ["c", ...ids]) {
    await make(all, id);
    await all.sandbox.startContainer(id);
  }
  return all;
}

const statuses = ({ store }: World) =>
  Object.fromEntries(store.load("c").containers.map(({ id, status }) => [id, status]));

test("a second container joins the VM: the sandbox is not made again", async () => {
  const all = await pod("d");
  expect(all.agent.asked.filter((method) => method === "CreateSandbox")).toHaveLength(1);
  expect(all.agent.asked.filter((method) => method === "CreateContainer")).toHaveLength(2);
  expect(statuses(all)).toEqual({ c: "running", d: "running" });
});

test("a container that ends leaves the VM and the others alone", async () => {
  const all = await pod("d");
  all.agent.exit("d", 3);
  expect(await all.sandbox.wait("d", "")).toMatchObject({ status: 3 });
  await settle();
  expect(statuses(all)).toEqual({ c: "running", d: "stopped" });
  expect(all.machine.stops).toBe(0);
});

test("of a container that has stopped there is no process to signal: an error, unless all are meant, as with runc", async () => {
  const all = await pod("d");
  all.agent.exit("d", 0);
  await all.sandbox.wait("d", "");
  await settle();
  await all.sandbox.signal("d", "", 9, true);
  expect(all.agent.asked).not.toContain("SignalProcess");
  await expect(all.sandbox.signal("d", "", 9, false)).rejects.toThrow("container not running");
  await expect(all.sandbox.signal("e", "", 9, true)).rejects.toMatchObject({ code: "NotFound" });
});

test("whoever waits for a container's events is told of its end", async () => {
  const { sandbox, agent } = await pod("d");
  const { init } = sandbox.container("d");
  const news = sandbox.ooms.next("d", 0, () => init?.exit !== undefined, new Promise(() => {}));
  agent.exit("d", 0);
  expect(await news).toBe(0);
});

test("when the sandbox's own container ends, the others are killed, told, and the VM stops", async () => {
  const all = await pod("d", "e");
  all.agent.exit("c", 0);
  await all.sandbox.wait("c", "");
  await settle();
  expect(all.agent.asked.filter((method) => method === "SignalProcess")).toHaveLength(2);
  all.agent.exit("d", 137);
  all.agent.exit("e", 137);
  expect(await all.sandbox.wait("d", "")).toMatchObject({ status: 137 });
  await all.sandbox.vmEnded;
  expect(statuses(all)).toEqual({ c: "stopped", d: "stopped", e: "stopped" });
  expect(all.machine.stops).toBe(1);
});

test("a container that is removed gives up its id, and nothing else", async () => {
  const all = await pod("d", "e");
  await all.sandbox.removeContainer("d", true);
  expect(all.agent.asked.at(-1)).toBe("RemoveContainer");
  expect(statuses(all)).toEqual({ c: "running", e: "running" });
  expect(all.store.list()).toEqual(["c", "e"]);
});

test("the sandbox is deleted last, unless it is forced", async () => {
  const all = await pod("d");
  all.agent.exit("d", 0);
  all.agent.exit("c", 0);
  await all.sandbox.vmEnded;
  await expect(all.sandbox.removeContainer("c", false)).rejects.toThrow(
    'cannot delete sandbox "c" while it has containers (d)',
  );
  await all.sandbox.removeContainer("c", true);
  expect(all.sandbox.containers()).toEqual([]);
});

test("a container is removed after the VM has gone", async () => {
  const all = await pod("d");
  all.machine.die("QEMU ended");
  await all.sandbox.vmEnded;
  await settle();
  await all.sandbox.removeContainer("d", false);
  await all.sandbox.removeContainer("c", false);
  expect(all.sandbox.containers()).toEqual([]);
});

test("nobody joins a sandbox that has stopped, or has no container of its own", async () => {
  const all = await pod();
  all.agent.exit("c", 0);
  await all.sandbox.vmEnded;
  await expect(make(all, "d")).rejects.toThrow('container "d" cannot join sandbox "c", which is stopped');
  await expect(make(world(), "d")).rejects.toThrow('container "d" cannot join sandbox "c"');
});

test("one that the agent refuses leaves the others alone", async () => {
  const all = await pod();
  all.agent.refuse = "CreateContainer";
  await expect(make(all, "d")).rejects.toThrow("agent: CreateContainer failed");
  expect(statuses(all)).toEqual({ c: "running" });
  expect([...all.attached.keys()]).toEqual(["c/rootfs"]);
});

test("one that is removed while it is made is not made, and gives up its id", async () => {
  const all = await pod();
  all.store.join("d", "c");
  const making = all.sandbox.createContainer({
    id: "d",
    bundle: "/b",
    spec,
    rootfs: new Fd(10),
    volumes: [],
    stdio: noStdio,
    standIn: () => new Promise(() => {}),
  });
  const failed = expect(making).rejects.toThrow('"d" was removed while it was made');
  await settle();
  // Without force it is left alone: it has not stopped.
  await expect(all.sandbox.removeContainer("d", false)).rejects.toThrow("that is not stopped: created");
  await all.sandbox.removeContainer("d", true);
  await failed;
  expect(all.agent.asked.at(-1)).toBe("RemoveContainer");
  expect(statuses(all)).toEqual({ c: "running" });
  expect(all.store.list()).toEqual(["c"]);
});

test("only a container that joins may share the pid namespace", async () => {
  const linux = { namespaces: [{ type: "pid" as const, path: "/proc/9/ns/pid" }] };
  await expect(make(world(), "c", { linux })).rejects.toThrow("only a container of a pod can join");
  const all = await pod();
  const annotations = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": "c",
  };
  await make(all, "d", { linux, annotations });
  expect(all.agent.requests.get("CreateContainer")).toMatchObject({ sandboxPidns: true });
});

describe("the size of the VM", () => {
  const asking = (quota: number, limit: number): Partial<Spec> => ({
    linux: { ...spec.linux, resources: { cpu: { quota, period: 100_000 }, memory: { limit } } },
  });
  const MIB = 2 ** 20;

  test("grows by whole blocks of memory, and by CPUs, before a container that asks for them is made", async () => {
    const all = await pod();
    await make(all, "d", asking(150_000, 200 * MIB));
    expect(all.machine.grown).toEqual(["256 MiB", "2 vCPUs"]);
    const made = all.agent.asked.lastIndexOf("CreateContainer");
    expect(all.agent.asked.slice(made - 2, made)).toEqual(["GetGuestDetails", "OnlineCPUMem"]);
    expect(all.agent.requests.get("OnlineCPUMem")).toEqual({
      wait: true,
      nbCpus: 3,
      cpuOnly: false,
      memBlocks: 4,
    });
    expect(all.store.load("c").size).toEqual({ vcpus: 3, memoryMiB: 512 });
  });

  test("does not grow for what is there: of a container that has ended, and of the last block", async () => {
    const all = await pod();
    await make(all, "d", asking(0, 100 * MIB));
    expect(all.machine.grown).toEqual(["128 MiB"]);
    await make(all, "e", asking(0, 20 * MIB));
    await all.sandbox.removeContainer("d", true);
    await make(all, "f", asking(0, 108 * MIB));
    expect(all.machine.grown).toEqual(["128 MiB"]);
    await updateContainer(all.sandbox, "f", { memory: { limit: 109 * MIB } });
    expect(all.machine.grown).toEqual(["128 MiB", "128 MiB"]);
    expect(all.agent.requests.get("OnlineCPUMem")).toMatchObject({ memBlocks: 4 });
  });

  test("what cannot be had is refused, and nothing is left of the request", async () => {
    const all = await pod();
    await expect(make(all, "d", asking(0, 4000 * MIB))).rejects.toThrow(
      /4256 MiB .*more than 4096 MiB, default_maxmemory/,
    );
    await expect(updateContainer(all.sandbox, "c", { memory: { limit: 4000 * MIB } })).rejects.toThrow(
      /more than 4096 MiB/,
    );
    expect(all.agent.asked).not.toContain("UpdateContainer");
    expect(Object.keys(statuses(all))).toEqual(["c"]);
    await make(all, "e", asking(0, MIB));
    expect(all.machine.grown).toEqual(["128 MiB"]);
  });

  test.each([
    [{ memBlockSizeBytes: 0, memBlocks: 0 }],
    [{ memBlockSizeBytes: 2 ** 40, memBlocks: 1 }],
    [{ memBlockSizeBytes: 3 * 2 ** 27, memBlocks: 1 }],
    [{ memBlockSizeBytes: 2 ** 27, memBlocks: 2 ** 50 }],
  ])("a guest that says %j of its memory gets none", async (block) => {
    const all = await pod();
    all.agent.answers.set("GetGuestDetails", block);
    await expect(make(all, "d", asking(0, MIB))).rejects.toThrow("the guest's memory cannot grow");
    expect(all.machine.grown).toEqual([]);
  });
});
