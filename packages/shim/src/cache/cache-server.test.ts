import { createHash } from "node:crypto";
import { type KataConfig, parseConfig } from "@kata-containers/config";
import { Fd, Logger, ops, SIG, SysError, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FakeProcess, FakeSockets } from "../testing/fake-sockets.ts";
import { cacheKey } from "./cache-key.ts";
import { CacheServer } from "./cache-server.ts";
import { connectCache } from "./connect-cache.ts";
import { ControlSocket, type Message } from "./control-socket.ts";

const PATH = "/run/test/cache.sock";
const VM = { pid: 4711, vcpus: 1, memoryMiB: 256 };

let sockets: FakeSockets;
let config: KataConfig;
let warnings: string[];
/** What an idle daemon does. */
let life: (control: ControlSocket, process: FakeProcess) => Promise<void>;
/** Of every file but sockets. */
let fileTime: number | undefined;
let server: CacheServer;
let served: Promise<void>;

/** It has a VM, and ends with its socket. */
async function waits(control: ControlSocket, process: FakeProcess, more: Message = {}): Promise<void> {
  await control.receive();
  await control.send({ vm: VM, ...more });
  if ((await control.receive()) === undefined) process.end();
}

function useConfig(keys = ""): void {
  config = parseConfig(`[factory]\nvm_cache_number = 2\nvm_cache_endpoint = "${PATH}"\n${keys}`, "/c.toml");
}

beforeEach(() => {
  vi.useFakeTimers();
  warnings = [];
  fileTime = 1;
  life = waits;
  const stat = (path: string) => {
    const found = ops.statIfThere(path);
    if (path === PATH && found !== undefined) return found;
    if (fileTime === undefined) throw new SysError("ENOENT", "stat", path);
    return { ...EMPTY_STAT, dev: 1, ino: 1, size: 1, mtimeMs: fileTime, ctimeMs: 1 };
  };
  sockets = new FakeSockets(
    (process, control) => {
      const socket = new ControlSocket(new Fd(control));
      void process.ended.then(() => socket[Symbol.dispose]());
      life(socket, process).catch(() => {});
    },
    { stat, sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()) },
  );
  useConfig();
});
afterEach(() => {
  vi.useRealTimers();
  setOps(undefined);
});

const pass = (ms = 1) => vi.advanceTimersByTimeAsync(ms);

async function serve(): Promise<void> {
  const log = new Logger({ fd: -1, name: "test", onWarning: (text) => void warnings.push(text) });
  server = new CacheServer(config, log);
  served = server.run();
  served.catch(() => {});
  await pass();
}

async function ask(request: Message) {
  using client = await connectCache(config);
  await client?.send(request);
  return await client?.receive();
}

const quit = async () => {
  const answered = ask({ quit: true });
  await pass();
  expect((await answered)?.message).toEqual({});
  await served;
};

test("as many are made as shall wait, and they are listed", async () => {
  await serve();
  await server.full;
  expect((await ask({ status: true }))?.message).toEqual({ pid: 7, vms: [VM, VM] });
  expect(sockets.processes.map(({ args }) => args.argv[1])).toEqual(["--idle", "--idle"]);
  expect(warnings).toEqual([]);
});

test("one is given with its descriptors, and only then is another one made", async () => {
  await serve();
  const answer = await ask({ take: cacheKey(config) });
  expect(answer?.message).toEqual({ idle: VM });
  expect(answer?.fds).toHaveLength(2);
  await pass();
  expect(sockets.events).toEqual(["started", "started", "descriptors sent", "started"]);
});

test("what a virtual machine's start warned of is told", async () => {
  life = (control, process) => waits(control, process, { warnings: ["it is no copy"] });
  await serve();
  expect(warnings).toEqual(["it is no copy", "it is no copy"]);
});

test.each([[{ vm: { pid: "x" } }], [{ vm: VM, error: "no room" }], [{ vm: { ...VM, vcpus: -1 } }]])(
  "an answer of an idle daemon that tells of none is one that failed: %j",
  async (answer) => {
    life = async (control, process) => {
      await control.receive();
      await control.send(answer);
      if ((await control.receive()) === undefined) process.end();
    };
    await serve();
    expect(warnings).toEqual(["cannot make a virtual machine"]);
    expect(sockets.processes.map(({ over }) => over)).toEqual([true]);
    await quit();
  },
);

test("a configuration that is not the server's gets none", async () => {
  await serve();
  expect((await ask({ take: "another" }))?.message).toEqual({
    none: expect.stringContaining("another config"),
  });
});

test("those that wait are renewed when a file is another one", async () => {
  await serve();
  fileTime = 2;
  expect((await ask({ take: cacheKey(config) }))?.message).toEqual({ none: "none is ready" });
  await pass();
  expect(sockets.processes.map(({ over }) => over)).toEqual([true, true, false, false]);
  expect((await ask({ take: cacheKey(config) }))?.message).toEqual({ idle: VM });
});

test("while a file is replaced there is none, and they are kept", async () => {
  await serve();
  fileTime = undefined;
  expect((await ask({ take: cacheKey(config) }))?.message).toEqual({
    none: expect.stringContaining("ENOENT"),
  });
  fileTime = 1;
  expect((await ask({ take: cacheKey(config) }))?.message).toEqual({ idle: VM });
});

test("one that ends is replaced", async () => {
  await serve();
  sockets.processes[0]?.end();
  await pass();
  expect(sockets.processes).toHaveLength(3);
  expect(warnings).toEqual(["an idle virtual machine has ended"]);
});

test("the end waits for all that wait, kills who does not end, and leaves no descriptor", async () => {
  const before = sockets.descriptors;
  let first = true;
  life = async (control, process) => {
    if (!first) return await waits(control, process);
    first = false;
    process.stubborn = true;
    await control.receive();
    await control.send({ vm: VM });
    // It does not look at its socket any more.
  };
  await serve();
  const answered = ask({ quit: true });
  await pass(9_999);
  expect(sockets.processes.map(({ over }) => over)).toEqual([false, true]);
  for (const process of sockets.processes) process.stubborn = false;
  await pass(2);
  expect(sockets.processes[0]?.signals).toEqual([SIG.SIGKILL]);
  expect((await answered)?.message).toEqual({});
  await served;
  // The watch for signals ends with the process.
  expect(sockets.descriptors).toBe(before + 1);
  expect(sockets.isThere(PATH)).toBe(false);
});

test("one that is being made when the end comes is not kept, and has ended by then", async () => {
  life = async (control, process) => {
    await control.receive();
    if ((await control.receive()) === undefined) setTimeout(() => process.end(), 500);
  };
  await serve();
  const answered = ask({ quit: true });
  let over = false;
  served.then(() => {
    over = true;
  });
  await pass(499);
  expect(over).toBe(false);
  await pass(2);
  await answered;
  await served;
  expect(sockets.processes.map(({ over }) => over)).toEqual([true]);
  expect(warnings).toEqual([]);
});

test("one that does not answer is given up, and another one made", async () => {
  life = async (control, process) => {
    await control.receive();
    if ((await control.receive()) === undefined) process.end();
  };
  await serve();
  await pass(3_600_000);
  expect(sockets.processes.length).toBeGreaterThan(1);
  expect(warnings).toContain("cannot make a virtual machine");
  await quit();
});

test("a client that says nothing, or brings descriptors, leaves nothing behind", async () => {
  await serve();
  const before = sockets.descriptors;
  const silent = await connectCache(config);
  await pass(5_001);
  expect(await silent?.receive()).toBeUndefined();
  silent?.[Symbol.dispose]();
  const client = await connectCache(config);
  const passed = sockets.open();
  await client?.send({ status: true }, [passed]);
  await client?.receive();
  ops.close(passed);
  client?.[Symbol.dispose]();
  await pass();
  expect(sockets.descriptors).toBe(before);
});

test("another user is not answered", async () => {
  await serve();
  sockets.peerUid = 1000;
  using client = new ControlSocket(new Fd(await ops.unixConnect(PATH)));
  await client.send({ take: cacheKey(config) });
  expect(await client.receive()).toBeUndefined();
  expect(warnings).toEqual(["a request failed"]);
  await expect(connectCache(config)).rejects.toThrow("it is served by another user (1000)");
});

test("the path of another server is left alone", async () => {
  await serve();
  const client = await connectCache(config);
  sockets.replace(PATH);
  await client?.send({ quit: true });
  await pass();
  await served;
  expect(sockets.isThere(PATH)).toBe(true);
});

test.each(["[hypervisor.qemu]\nenable_debug = true", "[agent.kata]\nenable_debug = true"])(
  "no virtual machine waits with %s",
  async (keys) => {
    useConfig(keys);
    await serve();
    await expect(served).rejects.toThrow(/^vm_cache_number: enable_debug is set/);
    expect(sockets.processes).toEqual([]);
  },
);

test("the key is of what the machine and its daemon depend on, not of how many wait, and where", () => {
  const key = cacheKey(config);
  useConfig("\n[hypervisor.qemu]\ndefault_memory = 512");
  expect(cacheKey(config)).not.toBe(key);
  config = parseConfig('[factory]\nvm_cache_number = 9\nvm_cache_endpoint = "/run/other.sock"', "/c.toml");
  expect(cacheKey(config)).toBe(key);
});
