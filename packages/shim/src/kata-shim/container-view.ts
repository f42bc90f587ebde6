import {
  AT,
  CLONE,
  Fd,
  isSysError,
  KataError,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  O,
  ops,
  RESOLVE,
  S,
} from "@kata-containers/sys";
import type { ContainerView, VolumeArgument } from "./arguments.ts";

/**
 * Makes our mount namespace the container's: whoever joins it (podman cp, docker's hooks) sees the container's root
 * file system and volumes at "/", and nothing of the host. We were started in a mount namespace of our own.
 * @throws KataError; then kata-shim must end, for it would show the host
 */
export function enterContainerView(view: ContainerView): void {
  try {
    if (view.kind === "join") joinView(view.mountNamespaceFd);
    else buildView(view.rootfsFd, view.volumes);
  } catch (error) {
    throw KataError.from(error, "cannot enter the container's mounts");
  }
}

/** setns(2) into a mount namespace makes its root our root and current directory. */
function joinView(mountNamespaceFd: number): void {
  using namespace = new Fd(mountNamespaceFd);
  ops.setns(namespace.number, CLONE.NEWNS);
}

function buildView(rootfsFd: number, volumes: readonly VolumeArgument[]): void {
  // Nothing that we mount or unmount may reach the namespace that ours is a copy of.
  ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
  using rootfs = new Fd(rootfsFd);
  restrict(rootfs.number);
  // Any directory will do: it is covered, and goes away with the rest of the host's mounts.
  ops.moveMount(rootfs.number, "", AT.FDCWD, "/proc", MOVE_MOUNT.F_EMPTY_PATH);
  ops.chdir("/proc");
  // pivot_root(2), "pivot_root(\".\", \".\")": the old root is stacked on the new one, and detached.
  ops.pivotRoot(".", ".");
  ops.umount(".", MNT.DETACH);
  ops.chdir("/");
  for (const volume of volumes) attach(volume);
}

function restrict(tree: number): void {
  ops.mountSetattr(tree, "", AT.EMPTY_PATH | AT.RECURSIVE, {
    set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV,
    propagation: MS.PRIVATE,
  });
}

/**
 * A volume whose place cannot be made (a read-only root file system, a file in the way) is left out: the guest mounts
 * it, or tells why it cannot, and here it only serves those who look from the host.
 */
function attach({ treeFd, destination }: VolumeArgument): void {
  using tree = new Fd(treeFd);
  restrict(tree.number);
  try {
    const directory = (ops.fstat(tree.number).mode & S.IFMT) === S.IFDIR;
    using place = openPlace(destination, directory);
    ops.moveMount(tree.number, "", place.number, "", MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH);
  } catch (error) {
    if (!isSysError(error, "EROFS", "ENOTDIR", "EISDIR", "ENOENT", "EEXIST", "ELOOP", "EACCES", "EINVAL"))
      throw error;
  }
}

/** The mount point, made if it is not there. "/" is the container's root by now, and symbolic links resolve below it. */
function openPlace(destination: string, directory: boolean): Fd {
  const parts = destination.split("/").filter((part) => part !== "");
  let at = openBelow("/");
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    using parent = at;
    at = openOrMake(parent.number, part, directory || !last);
  }
  return at;
}

function openOrMake(parent: number, name: string, directory: boolean): Fd {
  try {
    return new Fd(ops.openat2(parent, name, { flags: O.PATH | O.CLOEXEC, resolve: RESOLVE.NO_MAGICLINKS }));
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
  if (directory) ops.mkdirat(parent, name, 0o755);
  else
    new Fd(
      ops.openat2(parent, name, { flags: O.CREAT | O.EXCL | O.WRONLY | O.CLOEXEC, mode: 0o644 }),
    ).close();
  return new Fd(ops.openat2(parent, name, { flags: O.PATH | O.CLOEXEC, resolve: RESOLVE.NO_SYMLINKS }));
}

function openBelow(path: string): Fd {
  return new Fd(ops.open(path, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
}
