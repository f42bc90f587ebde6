import type { Mount, Spec } from "@kata-containers/oci";

/** How a mount of the spec reaches the guest. */
export type MountPlace =
  /** Its source is a tree of the host: shown to the guest below the share. */
  | "share"
  /** The guest makes it itself: a file system of its own kernel, or a bind of its own /proc, /sys or /dev. */
  | "guest"
  /** /dev/shm of the host: the sandbox's own tmpfs in the guest, for the two kernels cannot share memory through it. */
  | "shm"
  /** A pod's emptyDir: one in memory is a tmpfs of the guest, another one is shared. */
  | "emptyDir";

/** Where a container expects shared memory. */
export const SHARED_MEMORY = "/dev/shm";

/** kubelet's directory of emptyDir volumes: /var/lib/kubelet/pods/<uid>/volumes/kubernetes.io~empty-dir/<name>. */
const EMPTY_DIR = "/kubernetes.io~empty-dir/";

/** Where a mount of config.json is made (upstream's rules: virtcontainers' `shareFiles` and kata-agent's mounts). */
export function mountPlace(mount: Mount): MountPlace {
  if (!isBind(mount)) return "guest";
  if (mount.destination === SHARED_MEMORY) return "shm";
  const source = mount.source ?? "";
  if (source.includes(EMPTY_DIR)) return "emptyDir";
  return isBelow(source, "/proc") || isBelow(source, "/sys") || isBelow(source, "/dev") ? "guest" : "share";
}

/** Indices of the mounts whose source the caller opens (open_tree) and passes to the daemon. */
export function mountsToOpen(spec: Spec): number[] {
  return (spec.mounts ?? []).flatMap((mount, index) => (mountPlace(mount) === "guest" ? [] : [index]));
}

export function isReadOnly(mount: Mount): boolean {
  // The last of ro and rw wins, as in mount(8).
  const last = (mount.options ?? []).findLast(
    (option) => option === "ro" || option === "rw" || option === "rro",
  );
  return last === "ro" || last === "rro";
}

function isBind(mount: Mount): boolean {
  return (
    mount.type === "bind" || (mount.options ?? []).some((option) => option === "bind" || option === "rbind")
  );
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
