/** What the compiler has to know about the machine (host or guest) that the plan will run on. */
export type HostFacts = {
  readonly cgroup: CgroupFacts;
  /** The mount namespace's root is the initramfs, which cannot be pivoted: the container's root is moved onto it. */
  readonly rootIsInitramfs: boolean;
  /** /proc/sys/kernel/cap_last_cap. */
  readonly lastCapability: number;
  /** A spec with a seccomp profile: refuse it, or run without the filter and say so in `warnings`. Default of readHostFacts: refuse. */
  readonly seccomp: "refuse" | "unsupported-warn";
  /** Device rules where only cgroup v2 could enforce them (which takes a BPF program): the same choice. */
  readonly devicesOnV2: "refuse" | "unsupported-warn";
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
