import type { Capabilities } from "@kata-containers/oci";
import { invalid } from "./refuse.ts";

/** Names by number: include/uapi/linux/capability.h. */
export const CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
];

/** Bit masks; a JavaScript number holds all 41 bits exactly, but its bit operators only 32. */
export type CapabilityMasks = { readonly [K in keyof Capabilities]-?: number };

/** Names to masks. What the running kernel does not know yet is left out: it could not be used. */
export function capabilityMasks(sets: Capabilities | undefined, lastCapability: number): CapabilityMasks {
  const names = (set: keyof Capabilities): ReadonlySet<string> => new Set(sets?.[set] ?? []);
  const inheritable = names("inheritable");
  const permitted = names("permitted");
  // The kernel refuses an ambient capability that is not permitted and inheritable (capabilities(7)); so does runc, silently.
  const ambient = [...names("ambient")].filter((name) => permitted.has(name) && inheritable.has(name));
  const of = (set: keyof Capabilities) => mask(names(set), set, lastCapability);
  return {
    bounding: of("bounding"),
    effective: of("effective"),
    permitted: of("permitted"),
    inheritable: of("inheritable"),
    ambient: mask(new Set(ambient), "ambient", lastCapability),
  };
}

function mask(names: ReadonlySet<string>, set: string, lastCapability: number): number {
  let bits = 0;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name);
    if (number < 0) invalid(`process.capabilities.${set}`, `unknown capability ${JSON.stringify(name)}`);
    if (number <= lastCapability) bits += 2 ** number;
  }
  return bits;
}
