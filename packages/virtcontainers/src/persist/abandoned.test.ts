import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sandboxHash } from "../paths.ts";
import { nodeFiles } from "../testing/node-files.ts";
import { removeAbandoned } from "./abandoned.ts";

const MOUNT = "/sys/fs/cgroup";
const CLAIM = "/run/vc/cgroups/claim";

/** A host where process 7, started at 70, may live, with cgroups and their members, and claims. */
const host = {
  alive: false,
  cgroups: new Map<string, number[]>(),
  links: new Map<string, string>(),
};

function read(path: string): string {
  if (path === "/proc/self/mountinfo") return `33 25 0:29 / ${MOUNT} rw - cgroup2 cgroup2 rw`;
  if (path.endsWith("/boot_id")) return "boot\n";
  if (path === "/proc/7/stat" && host.alive) return `7 (x) S ${"0 ".repeat(18)}70`;
  const members = host.cgroups.get(path.slice(MOUNT.length, -"/cgroup.procs".length));
  if (members !== undefined) return members.join("\n");
  throw new SysError("ENOENT", "open", path);
}

function cgroupsOf(root: string, id: string): [sandbox: string, daemon: string] {
  const hash = sandboxHash(root, id);
  return [`/kata_${hash}`, `/kata_daemon_${hash}`];
}

function present(owner: string, daemonsMembers: number[] = []): void {
  const at = owner.lastIndexOf("/");
  const [sandbox, daemon] = cgroupsOf(owner.slice(0, at), owner.slice(at + 1));
  host.links = new Map([[CLAIM, owner]]);
  host.cgroups = new Map([
    [sandbox, []],
    [daemon, daemonsMembers],
  ]);
}

beforeEach(() => {
  host.alive = false;
  const directory = (path: string): string[] => {
    if (path === "/run/vc/cgroups") return ["claim"];
    return path === MOUNT ? [...host.cgroups.keys()].map((name) => name.slice(1)) : [];
  };
  setOps(
    nodeFiles({
      readFile: (path) => new TextEncoder().encode(read(path)),
      readdir: (path) => directory(path).map((name) => ({ name, type: "dir" })),
      statIfThere: () => undefined,
      open: () => 3,
      close: () => {},
      getpid: () => 1,
      readlink: (path) => {
        const target = host.links.get(path);
        if (target === undefined) throw new SysError("ENOENT", "readlink", path);
        return target;
      },
      unlink: (path) => {
        if (!host.links.delete(path)) throw new SysError("ENOENT", "unlink", path);
      },
      rmdir: (path) => {
        if (!host.cgroups.delete(path.slice(MOUNT.length))) throw new SysError("ENOENT", "rmdir", path);
      },
    }),
  );
});
afterEach(() => setOps(undefined));

test("empty cgroups of a sandbox whose program is gone are removed, and its claim", async () => {
  present("/run/vc/owner-7-70/c");
  await removeAbandoned();
  expect([...host.cgroups.keys()]).toEqual([]);
  expect([...host.links.keys()]).toEqual([]);
});

test.each([
  ["whose program lives", "/run/vc/owner-7-70/c", true, []],
  ["whose daemon lives", "/run/vc/owner-7-70/c", false, [12]],
  ["that is on disk", "/run/vc/sbs/c", false, []],
])("those of a sandbox %s stay", async (_, owner, alive, members) => {
  present(owner, members);
  host.alive = alive;
  await removeAbandoned();
  expect(host.cgroups.size).toBe(2);
  expect([...host.links.values()]).toEqual([owner]);
});

test("another process with the program's pid does not stand for it", async () => {
  present("/run/vc/owner-7-69/c");
  host.alive = true;
  await removeAbandoned();
  expect(host.cgroups.size).toBe(0);
});
