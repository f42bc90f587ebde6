import type { KataConfig } from "@kata-containers/config";
import { ACCESS, isSysError, KataError, ops, S } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";

/** The runtime's own programs, which the daemon and kata-runtime start as root. */
export function checkPrograms({ runtime, path: file }: KataConfig): Finding[] {
  const programs = {
    launch_path: runtime.launch_path,
    shim_path: runtime.shim_path,
    kata_shim_path: runtime.kata_shim_path,
  };
  return Object.entries(programs).map(([key, path]) => {
    const obstacle = unfitProgram(path);
    if (obstacle === undefined) return ok("programs", path);
    return failure(
      "programs",
      `${path}: ${obstacle.why}`,
      obstacle.advice ?? `set ${key} of [runtime] in ${file}`,
    );
  });
}

/** Why a program must not, or cannot, be run as root; undefined when it can. */
export function unfitProgram(path: string): { readonly why: string; readonly advice?: string } | undefined {
  try {
    const { mode } = ops.stat(path);
    if ((mode & S.IFMT) !== S.IFREG) return { why: "is no file" };
    ops.access(path, ACCESS.X_OK);
    if ((mode & 0o002) === 0) return undefined;
    return { why: "everybody can change it, and it runs as root", advice: `chmod o-w ${path}` };
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) return { why: "no such file" };
    if (isSysError(error, "EACCES")) return { why: "is not executable", advice: `chmod +x ${path}` };
    return { why: KataError.from(error).message };
  }
}
