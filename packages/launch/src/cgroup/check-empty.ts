import { KataError } from "@kata-containers/sys";
import { pidsOf } from "./cgroup.ts";

/**
 * Whoever is in a container's control groups already, or below them, would be limited with the container and killed with it:
 * refused, in runc's words.
 * @param directories the group's in every hierarchy
 * @throws KataError FailedPrecondition
 */
export function checkCgroupsEmpty(directories: readonly string[]): void {
  const used = directories.find((directory) => pidsOf(directory).length > 0);
  if (used === undefined) return;
  const pids = new Set(directories.flatMap(pidsOf));
  throw new KataError(
    "FailedPrecondition",
    `container's cgroup is not empty: ${pids.size} process(es) found in ${used}: give linux.cgroupsPath a cgroup of its own`,
  );
}
