import fs from "node:fs";
import os from "node:os";
import { MOUNT_ATTR, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { ShareTrees } from "./trees.ts";

const byFd = new Map<number, string>();
let places: string;
let set: number[];
let mounted: string[];
let refuse: boolean;
let namespaces: string[];

beforeEach(() => {
  places = fs.mkdtempSync(`${os.tmpdir()}/kata-trees-`);
  set = [];
  mounted = [];
  refuse = false;
  namespaces = [];
  setOps(
    nodeFiles({
      mountSetattr: (_dir, path, _flags, attr) => {
        set.push(attr.set ?? 0);
        if (path !== "") namespaces.push(`read-only ${path}`);
      },
      open: (path, flags, mode) => {
        if (!path.endsWith("/ns/mnt")) return fs.openSync(path, flags & ~0o2000000, mode);
        const fd = fs.openSync("/dev/null", "r");
        byFd.set(fd, path);
        return fd;
      },
      unshare: () => void namespaces.push("own root"),
      setns: (fd) => void namespaces.push(`enter ${byFd.get(fd)}`),
      moveMount: (_from, _fromPath, _to, path) => {
        if (refuse) throw new SysError("EINVAL", "move_mount");
        mounted.push(path);
      },
      umount: (path) => void mounted.splice(mounted.indexOf(path), 1),
    }),
  );
});
afterEach(() => {
  setOps(undefined);
  fs.rmSync(places, { recursive: true });
});

const directory = { directory: true, readOnly: false, what: "root file system" };
const file = { directory: false, readOnly: true, what: "mount /etc/hosts" };

test("a mount point is made in the writable place, the tree mounted in what the guest sees", () => {
  const trees = new ShareTrees("/share", places);
  trees.attach("c/rootfs", 9, directory);
  trees.attach("c-hosts", 10, file);
  expect(fs.readdirSync(places)).toEqual(["c", "c-hosts"]);
  expect(mounted).toEqual(["/share/c/rootfs", "/share/c-hosts"]);
});

test("no tree has devices or set-uid programs, and a read-only one cannot be written, on this side", () => {
  const trees = new ShareTrees("/share", places);
  trees.attach("c/rootfs", 9, directory);
  trees.attach("c-hosts", 10, file);
  const always = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV;
  expect(set).toEqual([always, always | MOUNT_ATTR.RDONLY]);
});

test("what is detached leaves nothing, not even the directory above it", () => {
  const trees = new ShareTrees("/share", places);
  trees.attach("c/rootfs", 9, directory);
  trees.attach("c-hosts", 10, file);
  trees.detach("c/rootfs");
  trees.detach("c-hosts");
  trees.detach("c-hosts");
  expect(fs.readdirSync(places)).toEqual([]);
  expect(mounted).toEqual([]);
});

test("a tree that cannot be attached leaves nothing, and is named", () => {
  const trees = new ShareTrees("/share", places);
  refuse = true;
  expect(() => trees.attach("c/rootfs", 9, directory)).toThrow("cannot share root file system: ");
  expect(fs.readdirSync(places)).toEqual([]);
});

test("a name that is in use stays in use", () => {
  const trees = new ShareTrees("/share", places);
  trees.attach("c-hosts", 10, file);
  expect(() => trees.attach("c-hosts", 11, file)).toThrow("cannot share mount /etc/hosts");
  expect(fs.readdirSync(places)).toEqual(["c-hosts"]);
});

test("a tree becomes read-only here and in the mount namespace of the program that serves it", () => {
  const trees = new ShareTrees("/share", places);
  trees.attach("c/rootfs", 9, directory);
  trees.makeReadOnly("c/rootfs", 77);
  expect(namespaces).toEqual([
    "read-only /share/c/rootfs",
    "own root",
    "enter /proc/77/ns/mnt",
    "read-only /share/c/rootfs",
    "enter /proc/thread-self/ns/mnt",
  ]);
});
