import type { Stat } from "../ops.gen.ts";

/** What a fake file system says of a file of which a test says no more. */
export const EMPTY_STAT: Stat = {
  dev: 0,
  ino: 0,
  mode: 0,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  mtimeMs: 0,
  ctimeMs: 0,
  blocks: 0,
};
