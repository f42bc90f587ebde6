import type { Mount } from "@kata-containers/oci";
import { MS } from "@kata-containers/sys";
import type { CgroupPlace } from "./cgroup/cgroup-places.ts";
import type { MountOptions } from "./mount-options.ts";
import type { NamespacePlan } from "./namespaces.ts";
import type { Step } from "./plan.ts";

/** Name of the container's root among the plan's descriptors. */
export const ROOT = "root";

export type MountContext = {
  readonly bundle: string;
  readonly cgroups: readonly CgroupPlace[];
  readonly namespaces: NamespacePlan;
  /** SELinux's label for the files of new file systems. */
  readonly label?: string;
  /** Some of the cgroups may not be there: we could not make them. */
  readonly rootless: boolean;
  /** HostFacts.isUser. */
  readonly isUser: boolean;
  /** Takes one line each. */
  readonly warnings: string[];
};

/** As runc: a path that is not absolute is taken from the root. */
export function targetOf(mount: Mount): string {
  return mount.destination.startsWith("/") ? mount.destination : `/${mount.destination}`;
}

/** Makes a mount that has been filled read-only. */
export function readOnlyAgain(mount: Mount, options: MountOptions): Step {
  return changeFlags(mount, options.flags | MS.RDONLY);
}

/** Gives a mount that is there these flags, and no other (MS_*). */
export function changeFlags(mount: Mount, own: number): Step {
  const flags = own | MS.REMOUNT | MS.BIND;
  return { op: "mount", fstype: "", source: "", flags, data: "", root: ROOT, target: targetOf(mount) };
}
