import { Fd, isSysError, O, ops } from "@kata-containers/sys";

/** A namespace of a process's, to be held or joined (namespaces(7)); undefined when the process has ended. */
export function openNamespace(pid: number, type: "mnt" | "pid"): Fd | undefined {
  try {
    return new Fd(ops.open(`/proc/${pid}/ns/${type}`, O.RDONLY | O.CLOEXEC, 0));
  } catch (error) {
    if (isSysError(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}
