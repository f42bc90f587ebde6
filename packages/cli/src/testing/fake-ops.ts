import { type Ops, S, SysError, setOps } from "@kata-containers/sys";

/** Puts an op table in place that has these ops only; every other one throws, by name. */
export function useOps(fake: Partial<Ops>): void {
  const text: Partial<Ops> = {
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    utf8Encode: (string) => new TextEncoder().encode(string),
  };
  const all = { ...text, ...fake };
  setOps(
    new Proxy(Object.create(null), {
      get: (_, name) => {
        const op = Reflect.get(all, name);
        if (op === undefined) throw new Error(`the fake has no op ${String(name)}`);
        return op;
      },
    }),
  );
}

/** Ops over the given files: text, or "dir" for a directory. Everything else is absent. */
export function fakeFiles(files: Readonly<Record<string, string>>): Partial<Ops> {
  const look = (path: string, syscall: string) => {
    const found = files[path];
    if (found === undefined) throw new SysError("ENOENT", syscall, path);
    return found;
  };
  const empty = { dev: 0, ino: 0, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, mtimeMs: 0, blocks: 0 };
  return {
    readFile: (path) => new TextEncoder().encode(look(path, "open")),
    stat: (path) => ({ ...empty, mode: look(path, "stat") === "dir" ? S.IFDIR | 0o755 : S.IFREG | 0o644 }),
  };
}
