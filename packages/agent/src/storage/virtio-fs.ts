import { MNT, mkdirp, ops } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { mountOptions } from "./mount-options.ts";

/** The host's share: `source` is the device's tag. */
export const virtioFsStorage: StorageDriver = ({ source, options, mountPoint }, modules) => {
  modules.load("virtiofs");
  mkdirp(mountPoint);
  const { flags, data } = mountOptions(options);
  ops.mount(source, mountPoint, "virtiofs", flags, data);
  return () => ops.umount(mountPoint, MNT.DETACH);
};
