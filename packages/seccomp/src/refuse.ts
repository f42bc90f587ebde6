import { KataError } from "@kata-containers/sys";

/** Throws InvalidArgument: "config.json: linux.seccomp.syscalls[3].args[0].op: must be one of …". */
export function refuse(path: string, why: string): never {
  throw new KataError("InvalidArgument", `config.json: linux.seccomp${path}: ${why}`);
}

/** The member of a table that a profile names. Throws InvalidArgument listing the names there are. */
export function lookUp<T>(table: Readonly<Record<string, T>>, name: string, path: string): T {
  const member = Object.hasOwn(table, name) ? table[name] : undefined;
  return member ?? refuse(path, `${JSON.stringify(name)} is not one of ${Object.keys(table).join(", ")}`);
}
