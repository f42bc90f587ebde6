import { isSysError, MNT, ops } from "@kata-containers/sys";

/**
 * Takes the root of a container without a mount namespace of its own away from the host's, with every mount below it. One that is
 * not mounted (any more) is left alone.
 */
export function unmountRoot(path: string): void {
  try {
    ops.umount(path, MNT.DETACH | MNT.UMOUNT_NOFOLLOW);
  } catch (error) {
    // EINVAL: no mount; ENOENT: its directory has gone, too.
    if (!isSysError(error, "EINVAL", "ENOENT")) throw error;
  }
}
