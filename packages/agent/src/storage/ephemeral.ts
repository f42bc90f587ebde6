import { MNT, mkdirp, ops } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { mountOptions } from "./mount-options.ts";

/** A tmpfs of the guest that containers share (an emptyDir in memory). */
export const ephemeralStorage: StorageDriver = ({ options, mountPoint }) => {
  mkdirp(mountPoint);
  const { flags, data } = mountOptions(options.flatMap(fsGroup));
  ops.mount("tmpfs", mountPoint, "tmpfs", flags, data);
  return () => ops.umount(mountPoint, MNT.DETACH);
};

/** Upstream's `fsgid=`: a volume of this group, whose files inherit it (Kubernetes' fsGroup). */
function fsGroup(option: string): string[] {
  const gid = /^fsgid=(\d+)$/.exec(option)?.[1];
  return gid === undefined ? [option] : [`gid=${gid}`, "mode=2775"];
}
