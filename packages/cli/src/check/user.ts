import { ops, readText } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";

/** What create needs, by capabilities(7): the mounts, namespaces and cgroups of a sandbox, and virtiofsd's ownership of files. */
const NEEDED = {
  CAP_CHOWN: 0n,
  CAP_DAC_OVERRIDE: 1n,
  CAP_FOWNER: 3n,
  CAP_SETGID: 6n,
  CAP_SETUID: 7n,
  CAP_SETPCAP: 8n,
  CAP_NET_ADMIN: 12n,
  CAP_SYS_CHROOT: 18n,
  CAP_SYS_ADMIN: 21n,
  CAP_MKNOD: 27n,
} as const;

/** Whether the caller may make a sandbox. */
export function checkUser(): Finding[] {
  const uid = ops.geteuid();
  if (uid !== 0)
    return [failure("user", `user ${uid}: only root can make virtual machines' sandboxes`, "use sudo")];
  const missing = missingCapabilities(readText("/proc/self/status"));
  if (missing.length === 0) return [ok("user", "root, with the capabilities that are needed")];
  return [
    failure("user", `root without ${missing.join(", ")}`, "run it outside of a container, or give it these"),
  ];
}

export function missingCapabilities(status: string): string[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(NEEDED)
    .filter(([, bit]) => (mask & (1n << bit)) === 0n)
    .map(([name]) => name);
}
