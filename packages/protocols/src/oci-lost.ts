import type * as oci from "@kata-containers/oci";

/** Members of the runtime-spec 1.2 that oci.proto of kata-containers 3.2.0 has no field for. */
const LOST: readonly string[] = [
  "process.scheduler",
  "process.ioPriority",
  "process.execCPUAffinity",
  "linux.personality",
  "linux.timeOffsets",
  "linux.intelRdt.closID",
  "linux.intelRdt.memBwSchema",
  "linux.intelRdt.enableCMT",
  "linux.intelRdt.enableMBM",
  "linux.resources.rdma",
  "linux.resources.unified",
  "linux.resources.cpu.burst",
  "linux.resources.cpu.idle",
  "linux.resources.memory.checkBeforeUpdate",
  "linux.resources.memory.useHierarchy",
  "linux.seccomp.listenerPath",
  "linux.seccomp.listenerMetadata",
];

/** JSON paths of what the spec says and `specToGrpc` cannot, for a warning or a refusal. */
export function lostInGrpc(spec: oci.Spec): string[] {
  const has = (path: string): boolean => {
    let at: unknown = spec;
    for (const name of path.split(".")) {
      if (typeof at !== "object" || at === null) {
        return false;
      }
      at = Object.entries(at).find(([key]) => key === name)?.[1];
    }
    return at !== undefined;
  };
  const lost = LOST.filter(has);
  if (spec.mounts?.some((mount) => mount.uidMappings || mount.gidMappings)) {
    lost.push("mounts[].uidMappings");
  }
  if (spec.linux?.resources?.memory?.swappiness === 0) {
    lost.push("linux.resources.memory.swappiness"); // 0 on the wire is: not set
  }
  return lost;
}
