import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SandboxRecord } from "./record.ts";
import { daemonAlive, undoFromRecord } from "./undo.ts";

/** A host with processes (pid to start time), cgroups with members, and files. */
const host = {
  processes: new Map<number, number>(),
  cgroups: new Map<string, number[]>(),
  files: new Set<string>(),
  links: new Map<string, string>(),
  killed: [] as number[],
  /** Inode of the network namespace at /ns; what was asked in there. */
  network: undefined as number | undefined,
  asked: 0,
};
const MOUNT = "/sys/fs/cgroup";
const MOUNTINFO = `33 25 0:29 / ${MOUNT} rw - cgroup2 cgroup2 rw`;

function read(path: string): string {
  if (path === "/proc/self/mountinfo") return MOUNTINFO;
  if (path.endsWith("/boot_id")) return "boot\n";
  const stat = /^\/proc\/(\d+)\/stat$/.exec(path);
  const start = host.processes.get(Number(stat?.[1]));
  if (start !== undefined) return `1 (x) S ${"0 ".repeat(18)}${start}`;
  const members = host.cgroups.get(path.slice(MOUNT.length, -"/cgroup.procs".length));
  if (members !== undefined) return members.join("\n");
  throw new SysError("ENOENT", "open", path);
}

function kill(pid: number): void {
  host.killed.push(pid);
  host.processes.delete(pid);
  for (const [path, members] of host.cgroups)
    host.cgroups.set(
      path,
      members.filter((each) => each !== pid),
    );
}

beforeEach(() => {
  host.processes = new Map([
    [10, 100],
    [20, 200],
    [30, 300],
    [40, 400],
  ]);
  host.cgroups = new Map([["/kata", [20, 40]]]);
  host.files = new Set(["/s", "/claim"]);
  host.links = new Map([["/claim", "/r/c"]]);
  host.killed = [];
  host.network = undefined;
  host.asked = 0;
  const ops: Record<string, (argument: never) => unknown> = {
    readFile: (path: string) => new TextEncoder().encode(read(path)),
    utf8Decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
    getpid: () => 1,
    close: () => {},
    pidfdOpen: (pid: number) => {
      if (!host.processes.has(pid)) throw new SysError("ESRCH", "pidfd_open");
      return pid;
    },
    pidfdSendSignal: kill,
    pidfdEnded: async () => {},
    open: () => 3,
    statIfThere: () => (host.network === undefined ? undefined : { ino: host.network }),
    fstat: () => ({ ino: host.network }),
    netlinkIn: () => 4,
    utf8Encode: (text: string) => new TextEncoder().encode(text),
    sha256: () => new Uint8Array(32),
    netlinkRequest: () => {
      host.asked++;
      return [];
    },
    flock: () => {},
    readlink: (path: string) => {
      if (!host.files.has(path)) throw new SysError("ENOENT", "readlink", path);
      return host.links.get(path);
    },
    unlink: (path: string) => {
      if (!host.files.delete(path)) throw new SysError("ENOENT", "unlink", path);
    },
    rmdir: (path: string) => {
      const name = path.slice(MOUNT.length);
      if (!host.cgroups.has(name)) throw new SysError("ENOENT", "rmdir", path);
      if (host.cgroups.get(name)?.length !== 0) throw new SysError("EBUSY", "rmdir", path);
      host.cgroups.delete(name);
    },
  };
  setOps(Object.assign(Object.create(null), ops));
});
afterEach(() => setOps(undefined));

const record: SandboxRecord = {
  version: 1,
  id: "c",
  root: "/r",
  bootId: "boot",
  socket: "/s",
  configPath: "/c",
  cgroups: { sandbox: "/kata", daemon: "/d" },
  resources: [
    { kind: "socket", path: "/s" },
    { kind: "cgroup-claim", path: "/claim" },
    { kind: "cgroup", path: "/kata" },
    { kind: "process", name: "qemu", identity: { pid: 20, startTime: 200 } },
    { kind: "process", name: "daemon", identity: { pid: 10, startTime: 100 } },
    // Its pid belongs to somebody else by now.
    { kind: "process", name: "virtiofsd", identity: { pid: 30, startTime: 299 } },
  ],
  containers: [],
};

test("the daemon goes first, a pid with another start time is left alone, and the cgroup's members go", async () => {
  await undoFromRecord(record);
  expect(host.killed).toEqual([10, 20, 40]);
  expect(host.processes.has(30)).toBe(true);
  expect(host.cgroups.size).toBe(0);
  expect(host.files.size).toBe(0);
});

test("a cgroup that is another sandbox's stays that one's", async () => {
  host.links.set("/claim", "/r/other");
  await undoFromRecord(record);
  expect(host.files).toEqual(new Set(["/claim"]));
});

test("doing it again is no error", async () => {
  await undoFromRecord(record);
  await undoFromRecord(record);
  expect(host.killed).toEqual([10, 20, 40]);
});

test("a daemon that undoes itself is not killed", async () => {
  await undoFromRecord(record, 10);
  expect(host.killed).toEqual([20, 40]);
});

test("a network namespace that outlives the sandbox is looked at, another one at its path is not", async () => {
  const resources = [...record.resources, { kind: "network" as const, path: "/ns", inode: 77 }];
  const undo = (more: Partial<SandboxRecord> = {}) => undoFromRecord({ ...record, ...more, resources });
  await undo();
  host.network = 78;
  await undo();
  host.network = 77;
  // After a reboot a number says nothing.
  await undo({ bootId: "earlier" });
  expect(host.asked).toBe(0);
  await undo();
  expect(host.asked).toBe(1);
});

test("after a reboot no pid is trusted, and what has a name is removed", async () => {
  host.cgroups.clear();
  await undoFromRecord({ ...record, bootId: "earlier" });
  expect(host.killed).toEqual([]);
  expect(host.files.size).toBe(0);
});

test("the daemon lives as long as its pid and start time do", () => {
  expect(daemonAlive(record)).toBe(true);
  host.processes.set(10, 101);
  expect(daemonAlive(record)).toBe(false);
  expect(daemonAlive({ ...record, bootId: "earlier" })).toBe(false);
});
