import { type Ops, SysError, setOps } from "@kata-containers/sys";

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

/** Ops of a host without a file. */
export function noFiles(): Partial<Ops> {
  const absent = (syscall: string) => (path: string) => {
    throw new SysError("ENOENT", syscall, path);
  };
  return { readFile: absent("open"), stat: absent("stat") };
}
