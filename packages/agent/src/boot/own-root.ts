import { MS, ops } from "@kata-containers/sys";

/**
 * Gives the agent a root that containers can pivot away from: the initramfs itself refuses pivot_root(2) ("EINVAL The current
 * root is on the rootfs"), so it is bound onto a directory and that mount is moved over it. Nothing is copied. Do this before
 * anything else is mounted.
 */
export function makeOwnRoot(): void {
  ops.mkdir("/newroot", 0o755);
  ops.mount("/", "/newroot", "", MS.BIND, "");
  ops.chdir("/newroot");
  ops.mount("/newroot", "/", "", MS.MOVE, "");
  ops.chroot(".");
  ops.chdir("/");
  ops.rmdir("/newroot");
}
