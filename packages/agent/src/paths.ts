// Where things are in the guest. Upstream's names (src/agent/src of kata-containers 3.2.0), so that either runtime may drive us.

/** Everything a request may name lies below here. */
export const RUN = "/run/kata-containers";
/** The host's share: containers' root file systems and volumes. */
export const SHARED = `${RUN}/shared/containers`;
/** What belongs to the sandbox as a whole: resolv.conf, ephemeral volumes. */
export const SANDBOX = `${RUN}/sandbox`;
/** Namespaces that the sandbox's containers have in common, each bound on a file. */
export const SANDBOX_NAMESPACES = "/run/sandbox-ns";
export const KATA_LAUNCH = "/kata-launch";
export const KERNEL_MODULES = "/lib/modules";
export const CGROUPS = "/sys/fs/cgroup";
