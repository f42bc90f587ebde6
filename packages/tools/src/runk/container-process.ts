import { isFrozen } from "@kata-containers/launch";
import type { Status } from "@kata-containers/oci";
import { exists, Fd, isSysError, ops, readText } from "@kata-containers/sys";
import { type ContainerRecord, fifoPath } from "./record.ts";

/** State and start time of a process (proc_pid_stat(5)), or undefined when there is none. */
export function processStat(pid: number): { readonly state: string; readonly startTime: number } | undefined {
  let text: string;
  try {
    text = readText(`/proc/${pid}/stat`);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
  // The name, in parentheses, may hold anything; field 3 follows the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: Number(fields[19]) };
}

export function statusOf(root: string, record: ContainerRecord): Status {
  if (record.pid === 0) return "stopped";
  const process = processStat(record.pid);
  if (process === undefined || process.startTime !== record.startTime) return "stopped";
  if (process.state === "Z" || process.state === "X") return "stopped";
  if (isFrozen(record.cgroups)) return "paused";
  return exists(fifoPath(root, record.id)) ? "created" : "running";
}

/** A pidfd of the container's first process, or undefined when it has ended: never one of another process with its pid. */
export function openProcess(record: Pick<ContainerRecord, "pid" | "startTime">): Fd | undefined {
  if (record.pid === 0) return undefined;
  let pidfd: Fd;
  try {
    pidfd = new Fd(ops.pidfdOpen(record.pid));
  } catch (error) {
    if (isSysError(error, "ESRCH", "EINVAL")) return undefined;
    throw error;
  }
  const process = processStat(record.pid);
  if (process?.startTime === record.startTime && process.state !== "Z") return pidfd;
  pidfd.close();
  return undefined;
}
