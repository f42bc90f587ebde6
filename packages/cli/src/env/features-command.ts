import { CAPABILITIES, mountOptionNames } from "@kata-containers/launch";
import { OCI_VERSION } from "@kata-containers/oci";
import { featuresRow } from "../commands/features.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { VERSION } from "../version.ts";

/** What a seccomp profile may use (packages/seccomp); SCMP_ACT_NOTIFY needs a listener on the host, which a guest has not. */
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

export const featuresCommand = defineCommand({
  ...featuresRow,
  async run() {
    const features = {
      ociVersionMin: "1.0.0",
      ociVersionMax: OCI_VERSION,
      hooks: ["prestart", "createRuntime", "poststart", "poststop"],
      // Id-mapped mounts do not reach the guest.
      mountOptions: mountOptionNames().filter((name) => !name.endsWith("idmap")),
      linux: {
        // The network namespace is the host's, and the VM's within it; a cgroup namespace has no meaning across kernels.
        namespaces: ["ipc", "mount", "network", "pid", "uts"],
        capabilities: CAPABILITIES,
        cgroup: { v1: true, v2: true, systemd: false, systemdUser: false },
        seccomp: SECCOMP,
        apparmor: { enabled: false },
        selinux: { enabled: false },
        intelRdt: { enabled: false },
        mountExtensions: { idmap: { enabled: false } },
      },
      annotations: { "io.katacontainers.version": VERSION },
      potentiallyUnsafeConfigAnnotations: [],
    };
    printText(`${JSON.stringify(features, undefined, 4)}\n`);
    return 0;
  },
});
