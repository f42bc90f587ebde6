import { MNT, mkdirp, ops } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { mountOptions } from "./mount-options.ts";

/** The host's share where the VMM serves it by 9p: `source` is the device's tag. */
export const plan9Storage: StorageDriver = ({ source, options, mountPoint }, modules) => {
  modules.load("9pnet_virtio");
  modules.load("9p");
  mkdirp(mountPoint);
  const { flags, data } = mountOptions(options);
  ops.mount(source, mountPoint, "9p", flags, data);
  return () => ops.umount(mountPoint, MNT.DETACH);
};
