import { MNT, MS, mkdirp, ops } from "@kata-containers/sys";
import { checkRunPath } from "../check.ts";
import type { StorageDriver } from "./driver.ts";
import { mountOptions } from "./mount-options.ts";

/** A directory of the share at a second place. */
export const bindStorage: StorageDriver = ({ source, options, mountPoint }) => {
  const from = checkRunPath(source, "storage source");
  mkdirp(mountPoint);
  const { flags } = mountOptions(options);
  ops.mount(from, mountPoint, "", MS.BIND | (flags & MS.REC), "");
  const restricted = flags & ~(MS.BIND | MS.REC);
  if (restricted !== 0) ops.mount("", mountPoint, "", MS.REMOUNT | MS.BIND | restricted, "");
  return () => ops.umount(mountPoint, MNT.DETACH);
};
