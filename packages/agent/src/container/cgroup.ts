import { isSysError, ops, readText } from "@kata-containers/sys";

/** The pids in a control group; none when it is gone. */
export function pidsOf(directory: string): number[] {
  try {
    return readText(`${directory}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

/** Removes a control group and those that were made in it, innermost first. No process may be in them. */
export function removeCgroup(directory: string): void {
  try {
    for (const entry of ops.readdir(directory)) {
      if (entry.type === "dir") removeCgroup(`${directory}/${entry.name}`);
    }
    ops.rmdir(directory);
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
}
