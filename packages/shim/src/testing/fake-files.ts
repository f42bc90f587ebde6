import { type Ops, S, SysError } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";

/** Ops over the given files: text, or "dir" for a directory. Everything else is absent. */
export function fakeFiles(files: Readonly<Record<string, string>>): Partial<Ops> {
  const look = (path: string, syscall: string) => {
    const found = files[path];
    if (found === undefined) throw new SysError("ENOENT", syscall, path);
    return found;
  };
  const statOf = (text: string) => ({
    ...EMPTY_STAT,
    mode: text === "dir" ? S.IFDIR | 0o755 : S.IFREG | 0o644,
  });
  return {
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    utf8Encode: (text) => new TextEncoder().encode(text),
    readFile: (path) => new TextEncoder().encode(look(path, "open")),
    stat: (path) => statOf(look(path, "stat")),
    statIfThere: (path) => (files[path] === undefined ? undefined : statOf(files[path])),
  };
}
