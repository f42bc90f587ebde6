import { KataError, type Ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeLauncher, FakeWaiter } from "../testing/fake-launcher.ts";
import { Container } from "./container.ts";

const spec = { ociVersion: "1.2.0", process: { cwd: "/", args: ["true"] }, root: { path: "/r" } };
const order = { process: { cwd: "/", args: ["id"] }, cgroups: [], timeoutMs: Number.POSITIVE_INFINITY };
const TERM = 15;
const KILL = 9;

let launcher: FakeLauncher;
let waiter: FakeWaiter;
let signals: string[];
let fake: Partial<Ops>;

beforeEach(() => {
  launcher = new FakeLauncher();
  waiter = new FakeWaiter();
  signals = [];
  fake = {
    cancel: () => {},
    close: () => {},
    readSync: () => new Uint8Array(),
    readBlock: () => new Promise(() => {}),
    pidfdSendSignal: (pidfd, signal) => {
      signals.push(`${pidfd}:${signal}`);
    },
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

const create = () =>
  Container.create(
    { id: "c", execId: "c", spec, seccomp: undefined, timeoutMs: 60_000 },
    [],
    launcher,
    waiter,
  );

test("a container is created, started, and stopped by the end of its init process", async () => {
  const container = await create();
  expect(container.state).toBe("created");
  container.start();
  expect(launcher.log).toEqual(["create c", "start c"]);
  waiter.end({ pid: 100, code: 3 });
  expect(await container.wait("c")).toBe(3);
  expect(container.state).toBe("stopped");
});

test("a stopped container takes no exec, and its signals do nothing", async () => {
  const container = await create();
  container.start();
  waiter.end({ pid: 100, signal: KILL });
  expect(await container.wait("")).toBe(137);
  await expect(container.exec("e", order)).rejects.toThrow("cannot exec container c: it is stopped");
  await container.signal("c", TERM);
  await container.signal("", TERM);
  expect(signals).toEqual([]);
});

test("a process gets the signal that was asked for, the init process too", async () => {
  const container = await create();
  container.start();
  await container.exec("e", order);
  await container.signal("c", TERM);
  await container.signal("e", TERM);
  expect(signals).toEqual(["100:15", "101:15"]);
});

/** The control group of the container, with a freezer: what is written to it and who is signalled are in `signals`. */
function freezer(members = "100\n7\n"): { state: string } {
  const group = { state: "THAWED" };
  launcher.cgroups = [{ version: 1, controllers: ["freezer"], mountpoint: "/", path: "/f", directory: "/f" }];
  setOps({
    ...fake,
    kill: (pid, signal) => void signals.push(`${pid}:${signal}`),
    readFile: (path) => new TextEncoder().encode(path === "/f/freezer.state" ? group.state : members),
    readdir: () => [],
    monotonicMs: () => 0,
    utf8Encode: (text) => new TextEncoder().encode(text),
    writeFile: (_, bytes) => {
      group.state = new TextDecoder().decode(bytes);
      signals.push(group.state);
    },
  } as Partial<Ops> as Ops);
  return group;
}

test("a signal for every process finds them frozen, so that none escapes by forking; then they run again", async () => {
  freezer();
  const container = await create();
  container.start();
  await container.signal("", TERM);
  expect(signals).toEqual(["FROZEN", "100:15", "7:15", "THAWED"]);
});

test("a signal for every process reaches the first one also when that has left the container's control groups", async () => {
  freezer("7\n");
  const container = await create();
  container.start();
  await container.signal("", TERM);
  expect(signals).toEqual(["FROZEN", "7:15", "THAWED", "100:15"]);
});

test("a signal for every process leaves a pause as it is, also one that is asked for meanwhile; SIGKILL ends it", async () => {
  const group = freezer();
  const container = await create();
  container.start();
  await Promise.all([container.signal("", TERM), container.pause()]);
  expect(group.state).toBe("FROZEN");
  await container.signal("", TERM);
  expect(group.state).toBe("FROZEN");
  await container.signal("", KILL);
  expect(group.state).toBe("THAWED");
});

test("an exec id is taken once, also while its process is being started", async () => {
  const container = await create();
  container.start();
  const first = container.exec("e", order);
  await expect(container.exec("e", order)).rejects.toThrow("process e of container c");
  await first;
  await expect(container.exec("e", order)).rejects.toThrow("process e of container c");
});

test("an exec id whose start failed can be used again", async () => {
  const container = await create();
  container.start();
  launcher.failNext = new KataError("NotFound", 'exec: "id": executable file not found in $PATH');
  await expect(container.exec("e", order)).rejects.toThrow("executable file not found");
  await container.exec("e", order);
});

test("an exec's process is forgotten when its end has been told and its streams have been read", async () => {
  const container = await create();
  container.start();
  await container.exec("e", order);
  waiter.end({ pid: 101, code: 0 });
  expect(await container.wait("e")).toBe(0);
  const { stdout, stderr } = container.process("e").streams;
  await expect(stdout.read(10)).rejects.toThrow("EOF");
  container.forgetSpent("e");
  await expect(stderr?.read(10)).rejects.toThrow("EOF");
  container.forgetSpent("e");
  expect(() => container.process("e")).toThrow("process e of container c");
});

test("kill ends every process and waits for the end of each", async () => {
  const container = await create();
  container.start();
  await container.exec("e", order);
  let killed = false;
  const killing = container.kill().then(() => {
    killed = true;
  });
  expect(signals).toContain("100:9");
  expect(signals).toContain("101:9");
  waiter.end({ pid: 100, signal: KILL });
  await Promise.resolve();
  expect(killed).toBe(false);
  waiter.end({ pid: 101, signal: KILL });
  await killing;
});

test("kill waits for a process that is still being started, and ends it; no other is started", async () => {
  const container = await create();
  container.start();
  let open: () => void = () => {};
  launcher.gate = new Promise((resolve) => {
    open = resolve;
  });
  const starting = container.exec("e", order);
  let killed = false;
  const killing = container.kill().then(() => {
    killed = true;
  });
  waiter.end({ pid: 100, signal: KILL });
  await new Promise((resolve) => setImmediate(resolve));
  expect(killed).toBe(false);
  await expect(container.exec("f", order)).rejects.toThrow(/is being killed|is stopped/);
  open();
  await starting;
  await new Promise((resolve) => setImmediate(resolve));
  expect(signals).toContain("101:9");
  expect(killed).toBe(false);
  waiter.end({ pid: 101, signal: KILL });
  await killing;
});
