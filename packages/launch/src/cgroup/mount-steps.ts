import type { Mount } from "@kata-containers/oci";
import { MOUNT_ATTR, MS } from "@kata-containers/sys";
import type { MountOptions } from "../mount-options.ts";
import { type MountContext, ROOT, readOnlyAgain, targetOf } from "../mount-target.ts";
import type { Step } from "../plan.ts";
import { guardProc, PROC_SUPER_MAGIC } from "../proc-mounts.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

const BASE = MS.NOSUID | MS.NODEV | MS.NOEXEC;
const EEXIST = 17;
const ENOENT = 2;

/**
 * A container's view of its cgroups. v2: one mount. v1: a tmpfs with a directory for each hierarchy. In a cgroup namespace
 * they are mounts of the kernel's own, which shows them from the container's cgroup; without one, and in the unified hierarchy for a
 * user who is not root, that cgroup is bound.
 */
export function cgroupMountSteps(
  mount: Mount,
  options: MountOptions,
  context: MountContext,
  where: string,
): Step[] {
  const target = targetOf(mount);
  guardProc(mount, false, where);
  const readOnly = (options.flags & MS.RDONLY) !== 0;
  const v1 = context.cgroups.filter((place) => place.version === 1);
  const v2 = context.cgroups.find((place) => place.version === 2);
  if (v1.length === 0) {
    if (v2 === undefined) return [];
    const only = view(v2, target, readOnly, context);
    // Where there may be no view, the host's cgroups must not show, which /sys has brought along if it was bound (CVE-2023-25809).
    return only.ignore === undefined ? [only] : [tmpfs(target, MS.RDONLY), only];
  }
  const views = v1.flatMap((place) => {
    const name = baseName(place.mountpoint);
    const aliases = place.controllers.length > 1 ? place.controllers : [];
    return [
      view(place, `${target}/${name}`, readOnly, context),
      ...aliases.map(
        (alias): Step => ({
          op: "symlink",
          path: `${target}/${alias}`,
          to: name,
          root: ROOT,
          ignore: [EEXIST],
        }),
      ),
    ];
  });
  const seal = readOnly ? [readOnlyAgain(mount, { ...options, flags: BASE })] : [];
  return [tmpfs(target, 0), ...views, ...seal];
}

function tmpfs(target: string, flags: number): Step {
  return {
    op: "mount",
    fstype: "tmpfs",
    source: "tmpfs",
    flags: BASE | flags,
    data: "mode=755",
    root: ROOT,
    target,
    create: "directory",
    notOn: PROC_SUPER_MAGIC,
  };
}

function view(place: CgroupPlace, target: string, readOnly: boolean, context: MountContext): Step {
  const at = { root: ROOT, target, create: "directory", notOn: PROC_SUPER_MAGIC } as const;
  // A user's /sys is the host's, where cgroup2 cannot be mounted over itself (EBUSY), and a namespace may show more than the container's.
  const isUsers = context.rootless && place.version === 2;
  if (!context.namespaces.has("cgroup") || isUsers) {
    const set = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC | (readOnly ? MOUNT_ATTR.RDONLY : 0);
    const bind: Step = {
      op: "bind",
      source: place.directory,
      recursive: false,
      set,
      clear: 0,
      setRecursive: 0,
      ...at,
    };
    return context.rootless ? { ...bind, ignore: [ENOENT] } : bind;
  }
  const flags = BASE | (readOnly ? MS.RDONLY : 0);
  return place.version === 2
    ? { op: "mount", fstype: "cgroup2", source: "cgroup", flags, data: "", ...at }
    : { op: "mount", fstype: "cgroup", source: "cgroup", flags, data: place.controllers.join(","), ...at };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
