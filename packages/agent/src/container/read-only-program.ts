import { AT, Fd, MOUNT_ATTR, OPEN_TREE, ops } from "@kata-containers/sys";

/**
 * A program on a read-only mount of its own that no directory shows, and the path to execute it by. A process of a container
 * that comes to hold kata-launch's /proc/<pid>/exe can open it for reading alone (CVE-2019-5736). Whoever has CAP_SYS_ADMIN could
 * take that from the mount (mount_setattr(2)), but has the guest in other ways. So kata-launch need not run from a sealed copy here, which under emulation would be most
 * of an exec's time. The mount lives as long as the agent.
 */
export function readOnlyProgram(path: string): string {
  const mount = new Fd(ops.openTree(AT.FDCWD, path, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC));
  ops.mountSetattr(mount.number, "", AT.EMPTY_PATH, { set: MOUNT_ATTR.RDONLY });
  return `/proc/${ops.getpid()}/fd/${mount.release()}`;
}
