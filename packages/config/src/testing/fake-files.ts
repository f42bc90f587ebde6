import { createHash } from "node:crypto";
import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";

export interface FakeFile {
  readonly text: string;
  readonly uid?: number;
  readonly mode?: number;
}

/** A file system of the given texts ("dir" is a directory); every other path is absent. */
export function fakeFiles(
  files: Readonly<Record<string, string | FakeFile | undefined>>,
  env: readonly string[] = [],
): Partial<Ops> {
  const opened: string[] = [];
  const find = (path: string, syscall: string): FakeFile => {
    const file = files[path];
    if (file === undefined) throw new SysError("ENOENT", syscall, path);
    return typeof file === "string" ? { text: file } : file;
  };
  const stat = (path: string, syscall: string) => {
    const { text, uid = 0, mode = text === "dir" ? 0o040755 : 0o100644 } = find(path, syscall);
    return { ...EMPTY_STAT, uid, mode, size: text.length };
  };
  const pathOf = (fd: number) => opened[fd] ?? "";
  return {
    env: () => [...env],
    geteuid: () => 0,
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    open(path) {
      find(path, "open");
      return opened.push(path) - 1;
    },
    close: () => {},
    fstat: (fd) => stat(pathOf(fd), "fstat"),
    stat: (path) => stat(path, "stat"),
    statIfThere: (path) => (files[path] === undefined ? undefined : stat(path, "stat")),
    sha512File: (fd) =>
      new Uint8Array(
        createHash("sha512")
          .update(find(pathOf(fd), "pread").text)
          .digest(),
      ),
    pread: (fd) => new TextEncoder().encode(find(pathOf(fd), "pread").text),
    readdir(path) {
      find(path, "open");
      const below = Object.keys(files).filter((each) => each.startsWith(`${path}/`));
      return below.map((each) => ({ name: each.slice(path.length + 1), type: "file" }));
    },
  };
}

/** From now on, until `setOps(undefined)`: these ops and no other. */
export function use(fake: Partial<Ops>): void {
  setOps(
    new Proxy(Object.create(null), {
      get: (_, op) => {
        const found = Reflect.get(fake, op);
        if (found === undefined) throw new Error(`the fake has no op ${String(op)}`);
        return found;
      },
    }),
  );
}
