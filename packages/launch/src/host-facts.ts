/** What the compiler has to know about the machine (host or guest) that the plan will run on. */
export type HostFacts = {
  readonly cgroup: CgroupFacts;
  /** The mount namespace's root is the initramfs, which cannot be pivoted: the container's root is moved onto it. */
  readonly rootIsInitramfs: boolean;
  /** /proc/sys/kernel/cap_last_cap. */
  readonly lastCapability: number;
  /** We are not root, of a user namespace neither: we may map but our own ids, and have rights over nobody's namespaces. */
  readonly isUser?: boolean;
  /** We are in a user namespace already: no mknod. */
  readonly inUserNamespace?: boolean;
  /** setgroups(2) is denied in our user namespace, and in those below it (user_namespaces(7)). */
  readonly setgroupsDenied?: boolean;
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

/** Whether a process's groups can be set: a user can do so neither outside nor inside of a user namespace of its own. */
export function hasSetgroups({ isUser, setgroupsDenied }: HostFacts): boolean {
  return isUser !== true && setgroupsDenied !== true;
}

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
