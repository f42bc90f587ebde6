import { KataError, ops } from "@kata-containers/sys";
import { createCgroup, hostHierarchies, removeCgroup } from "@kata-containers/virtcontainers";
import { type Finding, failure, ok } from "./finding.ts";

const ADVICE = "mount cgroups read-write at /sys/fs/cgroup, and run as root of the host";

/** Whether a cgroup can be made in every hierarchy: one is, and removed. */
export async function checkCgroups(): Promise<Finding[]> {
  try {
    const hierarchies = hostHierarchies();
    const versions = new Set(hierarchies.map(({ version }) => version));
    if (versions.size === 0) return [failure("cgroups", "none is mounted", ADVICE)];
    const path = `/kata_check_${ops.getpid()}`;
    try {
      createCgroup(path, hierarchies);
    } finally {
      await removeCgroup(path);
    }
    const layout = versions.size === 2 ? "v1 and v2 (hybrid)" : `v${[...versions].join()}`;
    return [ok("cgroups", `${layout}, writable`)];
  } catch (error) {
    return [failure("cgroups", KataError.from(error).message, ADVICE)];
  }
}
