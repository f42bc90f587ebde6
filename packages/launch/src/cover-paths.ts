import type { Mount, Spec } from "@kata-containers/oci";
import { MOUNT_ATTR, O } from "@kata-containers/sys";
import { ROOT, targetOf } from "./mount-target.ts";
import type { Step } from "./plan.ts";
import { cleanPath, PROC_SUPER_MAGIC } from "./proc-mounts.ts";

const ENOENT = 2;
const ENOTDIR = 20;
/** statfs(2), SYSFS_MAGIC. */
const SYSFS_MAGIC = 0x62656572;

/** What shows the kernel's own files, with a name for its descriptor. */
const VIEWS = [
  { at: "/proc", name: "proc", magic: PROC_SUPER_MAGIC },
  { at: "/sys", name: "sys", magic: SYSFS_MAGIC },
] as const;

/**
 * Read-only and masked paths. What is not there needs neither; therefore those of the kernel's file systems are looked up in the
 * mount itself, opened once: whoever can rename directories of the root while it is made could have /proc away at that moment.
 */
export function coverSteps({ linux, mounts = [] }: Spec): Step[] {
  const readOnly = linux?.readonlyPaths ?? [];
  const masked = linux?.maskedPaths ?? [];
  const needed = VIEWS.filter(
    ({ at }) =>
      mounts.some((mount) => shows(mount, at)) &&
      [...readOnly, ...masked].some((path) => cleanPath(path).startsWith(`${at}/`)),
  );
  const placeOf = (path: string): { readonly root: string; readonly path: string } => {
    const clean = cleanPath(path);
    const view = needed.find(({ at }) => clean.startsWith(`${at}/`));
    return view === undefined ? { root: ROOT, path } : { root: view.name, path: clean.slice(view.at.length) };
  };
  return [
    ...needed.map(
      ({ at, name, magic }): Step => ({
        op: "open",
        path: at,
        flags: O.PATH,
        as: name,
        root: ROOT,
        on: magic,
      }),
    ),
    ...readOnly.map((path) => readOnlyStep(placeOf(path))),
    ...masked.map((path): Step => ({ op: "mask", ...placeOf(path), ignore: [ENOENT, ENOTDIR] })),
  ];
}

/** Whatever comes on /proc is procfs: see guardProc. */
function shows(mount: Mount, at: string): boolean {
  return cleanPath(targetOf(mount)) === at && (at === "/proc" || mount.type === "sysfs");
}

function readOnlyStep({ root, path }: { readonly root: string; readonly path: string }): Step {
  return {
    op: "bind",
    source: path,
    sourceRoot: root,
    recursive: true,
    set: 0,
    clear: 0,
    setRecursive: MOUNT_ATTR.RDONLY,
    root,
    target: path,
    ignore: [ENOENT, ENOTDIR],
  };
}

/** Where a step's path is in the container: below the mount that its `root` names. */
export function shownPath(root: unknown, path: string): string {
  const view = VIEWS.find(({ name }) => name === root);
  return view === undefined ? path : `${view.at}${path}`;
}
