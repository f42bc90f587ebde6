import { CAPABILITIES } from "@kata-containers/launch";
import { NAMESPACE_TYPES, OCI_VERSION } from "@kata-containers/oci";
import { VERSION } from "@kata-containers/sys";

/** What a seccomp profile may use (packages/seccomp). */
const SECCOMP = {
  enabled: true,
  actions: [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
  ],
  operators: [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
  ],
  archs: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
} as const;

/** What a program can do: the structure of the OCI runtime specification, features.md. */
export function describeFeatures(own: {
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  /** Names of annotations, and beginnings of such names, that change what the runtime does. */
  readonly unsafeAnnotations: readonly string[];
  /** Without a VM, on whose kernel seccomp listeners, labels and id-mapped mounts would be. */
  readonly native: boolean;
}) {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: own.hooks,
    mountOptions: own.mountOptions,
    linux: {
      namespaces: [...NAMESPACE_TYPES].sort(),
      capabilities: CAPABILITIES,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false },
      seccomp: own.native ? { ...SECCOMP, actions: [...SECCOMP.actions, "SCMP_ACT_NOTIFY"].sort() } : SECCOMP,
      apparmor: { enabled: own.native },
      selinux: { enabled: own.native },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: own.native } },
    },
    annotations: { "io.katacontainers.version": VERSION },
    potentiallyUnsafeConfigAnnotations: own.unsafeAnnotations,
  };
}
