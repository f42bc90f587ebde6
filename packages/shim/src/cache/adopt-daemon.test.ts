import { createHash } from "node:crypto";
import { type KataConfig, parseConfig } from "@kata-containers/config";
import { Fd, ops, SIG, SOCK, setOps } from "@kata-containers/sys";
import { newRecord, savedConfigPath } from "@kata-containers/virtcontainers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DaemonOrder } from "../client/daemon-process.ts";
import { type FakeProcess, FakeSockets } from "../testing/fake-sockets.ts";
import { adoptDaemon } from "./adopt-daemon.ts";
import { cacheKey } from "./cache-key.ts";
import { ControlSocket, closeAll, type Message, type Received } from "./control-socket.ts";

const PATH = "/run/test/cache.sock";

let sockets: FakeSockets;
let config: KataConfig;
let order: DaemonOrder;
let memoryMiB: number;
/** What the server answers; undefined: with an idle daemon. */
let answer: Message | undefined;
let asked: Message | undefined;
/** What the idle daemon does from the time on when it is taken. */
let life: (control: ControlSocket, process: FakeProcess) => Promise<void>;
let offered: Received | undefined;

const processOf = (): FakeProcess | undefined => sockets.processes[0];

beforeEach(() => {
  vi.useFakeTimers();
  answer = undefined;
  asked = undefined;
  offered = undefined;
  memoryMiB = 256;
  life = adopts();
  const text = (path: string): string => {
    if (path === "/proc/meminfo") return "MemTotal: 8388608 kB\n";
    if (path.endsWith("boot_id")) return "boot\n";
    const record = newRecord({ id: "s1", root: "/state", configPath: "/c.toml", cgroupsPath: undefined });
    return JSON.stringify({ ...record, size: { vcpus: 1, memoryMiB } });
  };
  sockets = new FakeSockets(
    (process, number) => {
      const control = new ControlSocket(new Fd(number));
      void process.ended.then(() => control[Symbol.dispose]());
      life(control, process).catch(() => {});
    },
    {
      readFile: (path) => new TextEncoder().encode(text(path)),
      cpuCount: () => 2,
      sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
    },
  );
  useConfig();
});
afterEach(() => {
  vi.useRealTimers();
  setOps(undefined);
});

function useConfig(keys = ""): void {
  config = parseConfig(
    `[factory]\nvm_cache_number = 1\nvm_cache_endpoint = "${PATH}"\n[hypervisor.qemu]\ndefault_memory = 256\n${keys}`,
    "/c.toml",
  );
  order = { config, id: "s1", root: "/state", debug: false, networkNamespace: undefined, listener };
}

/** It takes what it is offered, and says the rest then. */
function adopts(...more: readonly Message[]) {
  return async (control: ControlSocket, process: FakeProcess): Promise<void> => {
    offered = await control.receive();
    for (const each of [{ adopting: true }, ...more]) await control.send(each);
    closeAll(offered?.fds ?? []);
    if (more.length === 0) process.end();
  };
}

let listener: Fd;

/** Answers one client. */
async function serve(): Promise<void> {
  const listening = ops.unixListen(PATH, 1);
  using client = new ControlSocket(new Fd(await ops.accept(listening)));
  asked = (await client.receive())?.message;
  if (answer !== undefined) return await client.send(answer);
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  const { pidfd } = ops.spawn({ argv: [], env: [], fds: [{ from: theirs, to: 3 }] });
  ops.close(theirs);
  await client.send({ idle: {} }, [ours, pidfd]);
  ops.close(ours);
  ops.close(pidfd);
}

async function adopt(more: Partial<DaemonOrder> = {}) {
  listener = new Fd(sockets.open());
  // It may be gone before it is answered.
  serve().catch(() => {});
  const adopted = adoptDaemon({ ...order, listener, ...more });
  adopted.catch(() => {});
  await vi.advanceTimersByTimeAsync(10);
  return adopted;
}

async function none(more?: Partial<DaemonOrder>): Promise<string | undefined> {
  const adopted = await adopt(more);
  return "none" in adopted ? adopted.none : undefined;
}

async function daemon(more?: Partial<DaemonOrder>) {
  const adopted = await adopt(more);
  if ("none" in adopted) throw new Error(adopted.none);
  return adopted;
}

test("an idle daemon is told what it becomes, and serves", async () => {
  life = adopts({ socket: "/run/s1.sock" });
  const { ready } = await daemon({ orphanSeconds: 90, networkNamespace: new Fd(sockets.open()) });
  await ready;
  expect(asked).toEqual({ take: cacheKey(config) });
  const adopted = { id: "s1", root: "/state", config: savedConfigPath("/state", "s1"), debug: false };
  expect(offered?.message).toEqual({ adopt: { ...adopted, orphanSeconds: 90 } });
  expect(offered?.fds).toHaveLength(3);
});

test("nothing is left open but the daemon's pidfd", async () => {
  life = adopts({ socket: "/run/s1.sock" });
  const before = sockets.descriptors;
  const { ready, kill } = await daemon();
  await ready;
  await kill();
  await vi.advanceTimersByTimeAsync(1);
  // The listeners': the sandbox's and the server's.
  expect(sockets.descriptors).toBe(before + 2);
});

test("without a server, or with one that has none, the sandbox's own daemon is to be started", async () => {
  expect(await adoptDaemon(order)).toEqual({ none: expect.stringContaining("nobody serves it") });
  answer = { none: "none is ready" };
  expect(await none()).toBe("none is ready");
});

test("an idle daemon that is dead is none", async () => {
  life = async (_, process) => process.end();
  expect(await none()).toBe("its daemon has ended");
});

test("one that ends without having read the offer is none", async () => {
  life = async (_, process) => void setTimeout(() => process.end(), 1);
  expect(await none()).toBe("its daemon has ended");
});

test("one that says why it cannot is none, and killed", async () => {
  life = async (control) => {
    await control.receive();
    await control.send({ error: "its virtual machine has ended: QEMU ended" });
  };
  expect(await none()).toBe("its virtual machine has ended: QEMU ended");
  expect(processOf()?.signals).toEqual([SIG.SIGKILL]);
});

test("one that says nothing for seconds is killed, and none", async () => {
  life = async () => {};
  const adopted = adopt();
  await vi.advanceTimersByTimeAsync(5_010);
  expect(await adopted).toEqual({ none: "its daemon said nothing within 5 s" });
  expect(processOf()?.signals).toEqual([SIG.SIGKILL]);
});

test("what a late one says before it is dead counts", async () => {
  life = async (control, process) => {
    const { signal } = process;
    process.signal = (number) => {
      void control.send({ adopting: true });
      signal.call(process, number);
    };
  };
  const adopted = adopt();
  await vi.advanceTimersByTimeAsync(5_010);
  const taken = await adopted;
  if ("none" in taken) throw new Error(taken.none);
  await expect(taken.ready).rejects.toThrow("ended before it was ready");
});

test("a server that says nothing for seconds has none", async () => {
  ops.unixListen(PATH, 1);
  const adopted = adoptDaemon(order);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await adopted).toEqual({ none: expect.stringContaining("its server said nothing within 5 s") });
});

test("a server of another user is not asked", async () => {
  sockets.peerUid = 1000;
  expect(await none()).toMatch(/it is served by another user \(1000\)$/);
  expect(asked).toBeUndefined();
});

test("once it has begun, a failure is the sandbox's own, and its own words are thrown", async () => {
  life = adopts({ error: "cannot join the cgroup" });
  const { ready, kill } = await daemon();
  await expect(ready).rejects.toThrow(/^cannot join the cgroup$/);
  await kill();
  await kill();
});

test("once it has begun, its end is the sandbox's own failure", async () => {
  const { ready } = await daemon();
  await expect(ready).rejects.toThrow("the sandbox's daemon ended before it was ready");
});

test("a failure that nobody looks at yet ends no program", async () => {
  const { kill } = await daemon();
  // An unhandled rejection would end this test run.
  await vi.advanceTimersByTimeAsync(100);
  await kill();
});

test("one that does not serve in time has failed", async () => {
  life = adopts({ socket: "/run/s1.sock" });
  const stuck = life;
  life = async (control, process) => {
    const { send } = control;
    control.send = async (message, fds) =>
      "socket" in message ? undefined : send.call(control, message, fds);
    await stuck(control, process);
  };
  const { ready } = await daemon();
  const judged = expect(ready).rejects.toThrow(/the sandbox's daemon said nothing within \d+ s/);
  await vi.advanceTimersByTimeAsync(600_000);
  await judged;
});

test("a scope is left only when the daemon serves, and a daemon that fails there is killed", async () => {
  life = async (control) => {
    await control.receive();
    await control.send({ adopting: true });
    await control.send({ error: "cannot join the cgroup" });
  };
  await expect(adopt({ scoped: true })).rejects.toThrow(/^cannot join the cgroup$/);
  expect(processOf()?.signals).toEqual([SIG.SIGKILL]);
});

test("none is taken for a sandbox that would have to grow and cannot", async () => {
  useConfig("memory_slots = 0\n");
  memoryMiB = 512;
  expect(await none()).toMatch(/it is to have 512 MiB, those have 256, and memory_slots is 0/);
  expect(asked).toBeUndefined();
});

test("none is taken for a configuration whose console belongs in the sandbox's log", async () => {
  useConfig("enable_debug = true\n");
  expect(await none()).toMatch(/enable_debug is set/);
  expect(asked).toBeUndefined();
});
