import type { Mount } from "@kata-containers/oci";
import { targetOf } from "./mount-target.ts";
import type { Target } from "./plan.ts";
import { invalid } from "./refuse.ts";

/** f_type of procfs: statfs(2), PROC_SUPER_MAGIC. */
export const PROC_SUPER_MAGIC = 0x9fa0;

/** What lxcfs and its like put over the kernel's own figures: runc's list. */
const EMULATED: ReadonlySet<string> = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/net/dev",
  "/proc/slabinfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/sys/crypto/fips_enabled",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/uptime",
]);

/** How kata-launch has to guard a mount's target, and a bind's source. */
export type ProcGuard = Pick<Target, "noSymlinks" | "notOn"> & { readonly sourceOn?: number };

/**
 * A volume on or below /proc would let an image answer what runtimes ask the kernel there (CVE-2019-16884): only procfs comes on
 * /proc, and below it only files that are known to be emulated. Whatever else a target's links resolve to is never procfs.
 *
 * @throws KataError InvalidArgument.
 */
export function guardProc(mount: Mount, isBind: boolean, where: string): ProcGuard {
  const target = cleanPath(targetOf(mount));
  if (target === "/proc") {
    if (isBind) return { noSymlinks: true, sourceOn: PROC_SUPER_MAGIC };
    if (mount.type === "proc") return { noSymlinks: true };
    invalid(where, `${JSON.stringify(target)} cannot be mounted because it is not of type proc`);
  }
  if (!target.startsWith("/proc/")) {
    const isKernelView = mount.type === "proc" || mount.type === "sysfs";
    return { ...(isKernelView ? { noSymlinks: true } : {}), notOn: PROC_SUPER_MAGIC };
  }
  if (EMULATED.has(target)) return {};
  return invalid(where, `${JSON.stringify(target)} cannot be mounted because it is inside /proc`);
}

/** Without ".", ".." and doubled slashes; links are kata-launch's to resolve. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
