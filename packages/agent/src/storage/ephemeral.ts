import { MNT, mkdirp, ops } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { volumeOwner } from "./fs-group.ts";
import { mountOptions } from "./mount-options.ts";

/** A tmpfs of the guest that containers share (an emptyDir in memory). */
export const ephemeralStorage: StorageDriver = ({ options, mountPoint }) => {
  const { gid, mode, rest } = volumeOwner(options, "1777");
  const group = gid === undefined ? [] : [`gid=${gid}`];
  const { flags, data } = mountOptions([...rest, ...group, `mode=${mode.toString(8)}`]);
  mkdirp(mountPoint);
  ops.mount("tmpfs", mountPoint, "tmpfs", flags, data);
  return () => ops.umount(mountPoint, MNT.DETACH);
};
