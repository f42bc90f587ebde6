import { KataError, mkdirp, ops, removeTree } from "@kata-containers/sys";
import type { StorageDriver } from "./driver.ts";

/** A directory of the guest; option `mode=` in octal (upstream's default 0777). */
export const localStorage: StorageDriver = ({ options, mountPoint }) => {
  const mode = options.find((option) => option.startsWith("mode="))?.slice("mode=".length) ?? "777";
  if (!/^0?[0-7]{1,4}$/.test(mode))
    throw new KataError("InvalidArgument", `storage option mode=${mode}: not octal`);
  mkdirp(mountPoint);
  ops.chmod(mountPoint, Number.parseInt(mode, 8));
  return () => removeTree(mountPoint);
};
