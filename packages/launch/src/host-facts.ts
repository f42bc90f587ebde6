/** What the compiler has to know about the machine (host or guest) that the plan will run on. */
export type HostFacts = {
  readonly cgroup: CgroupFacts;
  /** The mount namespace's root is the initramfs, which cannot be pivoted: the container's root is moved onto it. */
  readonly rootIsInitramfs: boolean;
  /** /proc/sys/kernel/cap_last_cap. */
  readonly lastCapability: number;
  /** A mask of the capabilities that we have, to pass on where no user namespace gives them all; absent: all. */
  readonly ownCapabilities?: number;
  /** /proc/kcore is there, and a container's /dev/core leads to it. */
  readonly kcore?: boolean;
  /** SELinux is in force: files have labels. */
  readonly selinux?: boolean;
  /** AppArmor is in force. */
  readonly apparmor?: boolean;
  /** Absent: the kernel has no seccomp filters, and a profile is refused. */
  readonly seccomp?: SeccompFacts;
};

export type SeccompFacts = {
  /** `uname -m`. */
  readonly machine: string;
  /** Words of /proc/sys/kernel/seccomp/actions_avail: "kill_process", "errno". */
  readonly actions: readonly string[];
};

/** A v1 hierarchy: "/sys/fs/cgroup/cpu,cpuacct", of ["cpu", "cpuacct"]; a named one has ["name=systemd"]. */
export type CgroupHierarchy = {
  readonly mountpoint: string;
  readonly controllers: readonly string[];
  /** The cgroup of the process that launches, from the hierarchy's root: "/". */
  readonly ownPath: string;
};

export type UnifiedHierarchy = CgroupHierarchy;

/** v1 alone, v2 alone, or both (hybrid): a controller is in exactly one hierarchy. */
export type CgroupFacts = {
  readonly v1: readonly CgroupHierarchy[];
  readonly v2?: UnifiedHierarchy;
};
