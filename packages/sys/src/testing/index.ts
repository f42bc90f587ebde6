import type { Ops, Stat } from "../ops.gen.ts";
import { SysError } from "../sys-error.ts";

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

/** Ops that read files of these texts, and no other. */
export const textFiles = (files: Readonly<Record<string, string>>): Pick<Ops, "readFile" | "utf8Decode"> => ({
  readFile: (path) => {
    const text = files[path];
    if (text === undefined) throw new SysError("ENOENT", "open", path);
    return new TextEncoder().encode(text);
  },
  utf8Decode: (bytes) => new TextDecoder().decode(bytes),
});
