import { type Ops, type Stat, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MountNamespace } from "./mount-namespace.ts";

let calls: string[];
let share: boolean;

beforeEach(() => {
  calls = [];
  share = true;
  const fake: Partial<Ops> = {
    open: (path) => {
      calls.push(`open ${path}`);
      return 7;
    },
    close: (fd) => void calls.push(`close ${fd}`),
    statIfThere: () => (share ? ({} as Stat) : undefined),
    statfs: (path) => {
      calls.push(`statfs ${path}`);
      return { type: 0x65735546, bsize: 4096, blocks: 1, bavail: 1 };
    },
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

test("is held from the start, and let go when the share's server has answered, again and again", async () => {
  const namespace = new MountNamespace(5);
  expect(calls).toEqual(["open /proc/5/ns/mnt"]);
  await namespace.release();
  const asked = "statfs /run/kata-containers/shared/containers";
  expect(calls.slice(1)).toEqual([asked, asked, asked, "close 7"]);
});

test("a sandbox without a share has nobody to ask", async () => {
  share = false;
  await new MountNamespace(5).release();
  expect(calls).toEqual(["open /proc/5/ns/mnt", "close 7"]);
});

test("of a process that has ended there is nothing to hold", async () => {
  const open = (): never => {
    throw new SysError("ENOENT", "open", "/proc/5/ns/mnt");
  };
  setOps({ open } as Partial<Ops> as Ops);
  await new MountNamespace(5).release();
});
