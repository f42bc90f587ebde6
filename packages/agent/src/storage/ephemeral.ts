import { MNT, mkdirp, ops } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { mountOptions } from "./mount-options.ts";

/** A tmpfs of the guest that containers share (an emptyDir in memory). */
export const ephemeralStorage: StorageDriver = ({ options, mountPoint }) => {
  mkdirp(mountPoint);
  const { flags, data } = mountOptions(options.filter((option) => !option.startsWith("fsgid=")));
  ops.mount("tmpfs", mountPoint, "tmpfs", flags, data);
  return () => ops.umount(mountPoint, MNT.DETACH);
};
