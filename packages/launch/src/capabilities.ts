import type { Capabilities } from "@kata-containers/oci";
import type { HostFacts } from "./host-facts.ts";

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

/** Which capabilities can be had. */
export type Grantable = {
  /** The highest number that the kernel knows. */
  readonly last: number;
  /** A mask of those that may be passed on; absent: all. */
  readonly mask?: number;
};

/** @param inUserNamespace who enters a user namespace has them all in it */
export function grantable(facts: HostFacts, inUserNamespace: boolean): Grantable {
  const own = inUserNamespace ? undefined : facts.ownCapabilities;
  return { last: facts.lastCapability, ...(own === undefined ? {} : { mask: own }) };
}

/**
 * Names to masks. What is unknown or cannot be granted is left out and warned of: "MUST be logged as a warning", "SHOULD NOT fail"
 * (OCI runtime-spec, config.md, "capabilities").
 *
 * @param warnings takes at most two lines
 */
export function capabilityMasks(
  sets: Capabilities | undefined,
  grantable: Grantable,
  warnings: string[],
): CapabilityMasks {
  const missing = new Set<string>();
  const names = (set: keyof Capabilities): ReadonlySet<string> => new Set(sets?.[set] ?? []);
  const inheritable = names("inheritable");
  const permitted = names("permitted");
  // The kernel refuses an ambient capability that is not permitted and inheritable (capabilities(7)).
  const isAmbient = (name: string) => permitted.has(name) && inheritable.has(name);
  const ambient = [...names("ambient")].filter(isAmbient);
  const refused = [...names("ambient")].filter((name) => !isAmbient(name));
  const masks = {
    bounding: mask(names("bounding"), grantable, missing),
    effective: mask(names("effective"), grantable, missing),
    permitted: mask(permitted, grantable, missing),
    inheritable: mask(inheritable, grantable, missing),
    ambient: mask(new Set(ambient), grantable, missing),
  };
  if (missing.size > 0)
    warnings.push(
      `process.capabilities: left out, unknown or not to be had here: ${[...missing].join(", ")}`,
    );
  if (refused.length > 0)
    warnings.push(
      `process.capabilities.ambient: left out, not both permitted and inheritable: ${refused.join(", ")}`,
    );
  return masks;
}

function mask(names: ReadonlySet<string>, grantable: Grantable, missing: Set<string>): number {
  let bits = 0;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name);
    if (number >= 0 && isGrantable(number, grantable)) bits += 2 ** number;
    else missing.add(name);
  }
  return bits;
}

function isGrantable(number: number, { last, mask }: Grantable): boolean {
  return number <= last && (mask === undefined || Math.floor(mask / 2 ** number) % 2 === 1);
}
