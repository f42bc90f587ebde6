import { Fd, type Ops, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";
import { afterEach, expect, test } from "vitest";
import { attachLater } from "./small-root.ts";

afterEach(() => setOps(undefined));

/** The mounts that are moved when inode 7 of device 1 is to appear at a place where `there` is. */
function attached(there: { dev: number; ino: number } | undefined): string[] {
  const moved: string[] = [];
  const fake: Partial<Ops> = {
    fstat: () => ({ ...EMPTY_STAT, dev: 1, ino: 7 }),
    statIfThere: () => there && { ...EMPTY_STAT, ...there },
    mkdir: () => {},
    mountSetattr: () => {},
    moveMount: (_from, _path, _to, target) => void moved.push(target),
  };
  setOps(fake as Ops);
  attachLater(new Fd(5), "/state");
  return moved;
}

test("a directory appears where nothing was, and in place of another one", () => {
  expect(attached(undefined)).toEqual(["/state"]);
  expect(attached({ dev: 1, ino: 8 })).toEqual(["/state"]);
  expect(attached({ dev: 2, ino: 7 })).toEqual(["/state"]);
});

test("a directory that is visible already is left as it is", () => {
  expect(attached({ dev: 1, ino: 7 })).toEqual([]);
});
