import { AgentService, Health } from "@kata-containers/protocols";
import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { type Client, createClient, memoryPair, serve } from "@kata-containers/ttrpc";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KernelModules } from "../boot/kernel-modules.ts";
import type { Probe } from "../boot/uevents.ts";
import { GuestNetwork } from "../network/guest-network.ts";
import { Hotplug } from "../sandbox/hotplug.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { FakeLauncher, FakeWaiter } from "../testing/fake-launcher.ts";
import { agentHandlers } from "./handlers.ts";

const A = AgentService;
const OCI = {
  Version: "1.2.0",
  Process: { Args: ["true"], Cwd: "/" },
  Root: { Path: "/run/kata-containers/shared/containers/c/rootfs" },
};

let client: Client;
let launcher: FakeLauncher;
let waiter: FakeWaiter;
let calls: string[];
let sharePlugged: boolean;
/** Called when a device has appeared, for which somebody waits. */
let deviceCame: (() => void) | undefined;

beforeEach(() => {
  sharePlugged = true;
  deviceCame = undefined;
  calls = [];
  const note = (name: string) => (target: unknown) => {
    calls.push(`${name} ${target}`);
  };
  const fake: Partial<Ops> = {
    open: () => 9,
    close: () => {},
    cancel: () => {},
    mkdir: note("mkdir"),
    unshare: () => {},
    setns: () => {},
    sethostname: note("hostname"),
    writeFile: note("write"),
    utf8Encode: (text) => new TextEncoder().encode(text),
    statIfThere: () => undefined,
    stat: () => {
      throw new SysError("ENOENT", "stat");
    },
    mount: (source, target) => {
      if (source === "broken" || (source === share.source && !sharePlugged))
        throw new SysError("EINVAL", "mount");
      calls.push(`mount ${source} ${target}`);
    },
    umount: note("umount"),
    unlink: note("unlink"),
    sync: () => {},
    addEntropy: (bytes) => {
      calls.push(`entropy ${bytes}`);
      if (bytes.length < 2) throw new SysError("ENODATA", "ioctl RNDRESEEDCRNG", "/dev/urandom");
    },
    readSync: () => new Uint8Array(),
    pidfdSendSignal: (pid, signal) => {
      if (signal === 9) waiter.end({ pid, signal });
    },
  };
  setOps(fake as Ops);
  launcher = new FakeLauncher();
  waiter = new FakeWaiter();
  const [host, guest] = memoryPair();
  const modules = new KernelModules({ boot: [], needs: {} });
  const hotplug = new Hotplug({
    findDevices: () => void calls.push("find devices"),
    timeoutMs: 1,
    uevents: () => ({
      waitFor: async <T>(probe: Probe<T>) => {
        await new Promise<void>((resolve) => {
          deviceCame = resolve;
        });
        return probe() as T;
      },
    }),
  });
  const network = new GuestNetwork({ modules, hotplugTimeoutMs: 1, devices: hotplug });
  serve(guest, agentHandlers(new Sandbox({ modules, launcher, waiter, devices: hotplug }), network, hotplug));
  client = createClient(host);
});
afterEach(() => {
  client.close();
  setOps(undefined);
});

const share = {
  driver: "virtio-fs",
  source: "kataShared",
  fstype: "virtiofs",
  mountPoint: "/run/kata-containers/shared/containers/",
};

test("health is served before there is a sandbox", async () => {
  expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
});

test("a sandbox mounts its storages once and gives them back", async () => {
  await client.unary(A.CreateSandbox, { hostname: "h", storages: [share, share] });
  expect(calls).toContain("hostname h");
  expect(calls.filter((call) => call.includes("kataShared"))).toHaveLength(1);
  await client.unary(A.DestroySandbox, {});
  expect(calls).toContain("umount /run/kata-containers/shared/containers");
  expect(calls).toContain("umount /run/sandbox-ns/ipc");
});

test("a sandbox that fails to be made leaves nothing", async () => {
  const broken = { ...share, driver: "9p", source: "broken", mountPoint: "/run/kata-containers/x" };
  const storages = [share, broken];
  await expect(client.unary(A.CreateSandbox, { storages })).rejects.toThrow("EINVAL");
  expect(calls).toContain("umount /run/kata-containers/shared/containers");
  await client.unary(A.CreateSandbox, { storages: [share] });
});

test("a share that is plugged in while the sandbox is made is waited for", async () => {
  sharePlugged = false;
  const creating = client.unary(A.CreateSandbox, { storages: [share] });
  await vi.waitFor(() => expect(deviceCame).toBeDefined());
  expect(calls.filter((call) => call.startsWith("mount"))).toEqual([]);
  sharePlugged = true;
  deviceCame?.();
  await creating;
  expect(calls).toContain("mount kataShared /run/kata-containers/shared/containers");
});

test("a storage with an unknown driver is refused before anything is made", async () => {
  const storages = [share, { ...share, driver: "nvme" }];
  await expect(client.unary(A.CreateSandbox, { storages })).rejects.toMatchObject({ code: "Unimplemented" });
  expect(calls).toEqual([]);
});

test("a storage outside of the run directory is refused", async () => {
  const storages = [{ ...share, mountPoint: "/run/kata-containers/../../dev" }];
  await expect(client.unary(A.CreateSandbox, { storages })).rejects.toMatchObject({
    code: "InvalidArgument",
  });
});

test("no container without a sandbox, and no id twice", async () => {
  const create = () => client.unary(A.CreateContainer, { containerId: "c", execId: "c", OCI });
  await expect(create()).rejects.toMatchObject({ code: "FailedPrecondition" });
  await client.unary(A.CreateSandbox, {});
  await create();
  await expect(create()).rejects.toMatchObject({ code: "AlreadyExists" });
});

test("destroying the sandbox ends its containers first", async () => {
  await client.unary(A.CreateSandbox, {});
  await client.unary(A.CreateContainer, { containerId: "c", execId: "c", OCI });
  await client.unary(A.DestroySandbox, {});
  expect(launcher.log).toEqual(["create c", "unmount c", "destroy c"]);
  await expect(client.unary(A.StartContainer, { containerId: "c" })).rejects.toMatchObject({
    code: "NotFound",
  });
});

test("broken requests get a status each and the service goes on", async () => {
  const broken = [
    client.unary(A.CreateContainer, { containerId: "../c", OCI }),
    client.unary(A.CreateContainer, { containerId: "c" }),
    client.unary(A.ReseedRandomDev, {}),
    client.unary(A.SetGuestDateTime, { Sec: -1 }),
    client.unary(A.ReadStdout, { containerId: "nobody", len: 1 }),
  ];
  const codes = await Promise.all(
    broken.map((call) =>
      call.then(
        () => "",
        (error) => error.code,
      ),
    ),
  );
  expect(codes).toEqual([
    "InvalidArgument",
    "InvalidArgument",
    "InvalidArgument",
    "InvalidArgument",
    "NotFound",
  ]);
  await expect(client.unary(A.StartTracing, {})).rejects.toMatchObject({ code: "Unimplemented" });
  expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
});

test("two removals of one container give back once what it held", async () => {
  await client.unary(A.CreateSandbox, {});
  await client.unary(A.CreateContainer, { containerId: "c", execId: "c", OCI });
  const remove = () => client.unary(A.RemoveContainer, { containerId: "c" });
  await Promise.all([remove(), remove()]);
  expect(launcher.log.filter((line) => line === "destroy c")).toHaveLength(1);
});

test("a container that is still being created when the sandbox ends, ends with it; no other is created", async () => {
  await client.unary(A.CreateSandbox, {});
  let open: () => void = () => {};
  launcher.gate = new Promise((resolve) => {
    open = resolve;
  });
  const create = (id: string) => client.unary(A.CreateContainer, { containerId: id, execId: id, OCI });
  const creating = create("c");
  const destroying = client.unary(A.DestroySandbox, {});
  await expect(create("d")).rejects.toMatchObject({ code: "FailedPrecondition" });
  open();
  await creating;
  await destroying;
  expect(launcher.log).toEqual(["create c", "unmount c", "destroy c"]);
  expect(calls).toContain("umount /run/sandbox-ns/ipc");
});

test("ReseedRandomDev gives the kernel the bytes of the request, and refuses none and too many", async () => {
  await client.unary(A.ReseedRandomDev, { data: Uint8Array.of(7, 0, 255) });
  for (const bytes of [0, (64 << 10) + 1]) {
    const reseeding = client.unary(A.ReseedRandomDev, { data: new Uint8Array(bytes) });
    await expect(reseeding).rejects.toMatchObject({ code: "InvalidArgument" });
  }
  expect(calls).toEqual(["entropy 7,0,255"]);
});

test("ReseedRandomDev with too few bytes for a guest without entropy has done what it can", async () => {
  await client.unary(A.ReseedRandomDev, { data: Uint8Array.of(7) });
  expect(calls).toEqual(["entropy 7"]);
});
