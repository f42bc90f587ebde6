import { KataError, mkdirp, ops, removeTree } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";
import { volumeOwner } from "./fs-group.ts";

/** A directory of the guest; options: see {@link volumeOwner}, and no others. */
export const localStorage: StorageDriver = ({ options, mountPoint }) => {
  const { gid, mode, rest } = volumeOwner(options, "777");
  if (rest.length > 0)
    throw new KataError(
      "InvalidArgument",
      `storage option ${rest[0]}: not of a local storage, which is a directory`,
    );
  mkdirp(mountPoint);
  // The mode last: a change of group may clear its setgid bit.
  if (gid !== undefined) ops.chown(mountPoint, 0, gid);
  ops.chmod(mountPoint, mode);
  return () => removeTree(mountPoint);
};
