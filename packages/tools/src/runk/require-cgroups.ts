import { exists, KataError } from "@kata-containers/sys";
import type { ContainerRecord } from "./record.ts";

/**
 * For what is done through a container's control groups: one that a user has made may have none.
 * @throws KataError FailedPrecondition
 */
export function requireCgroups({ id, cgroups }: ContainerRecord): void {
  if (cgroups.some(({ directory }) => exists(directory))) return;
  throw new KataError(
    "FailedPrecondition",
    `container ${id} has no control group: whoever made it may make none (run runk as root, or have one delegated)`,
  );
}
