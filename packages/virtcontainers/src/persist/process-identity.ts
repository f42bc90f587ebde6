import { isSysError, ops, readText, SIG } from "@kata-containers/sys";
import type { ProcessIdentity } from "./record.ts";

/** Start time of a process in clock ticks since boot (proc(5), stat field 22). undefined: there is none, or it is a zombie. */
export function processStartTime(pid: number): number | undefined {
  try {
    return startTimeOf(readText(`/proc/${pid}/stat`, 4096));
  } catch (error) {
    if (isSysError(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** Field 22 of a stat line. The second field is the program's name in parentheses and may hold anything, so fields are counted from the last one. */
export function startTimeOf(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  const time = Number(fields[19]);
  return Number.isSafeInteger(time) ? time : undefined;
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = processStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identity.pid > 0 && processStartTime(identity.pid) === identity.startTime;
}

/** Kills a process by SIGKILL, if it is still the one that was meant, and waits until it has ended. */
export async function killIdentity(identity: ProcessIdentity): Promise<void> {
  const pidfd = openPidfd(identity.pid);
  if (pidfd === undefined) return;
  try {
    // Compared after the pidfd is open: from here on the pid cannot change its owner behind us.
    if (!isAlive(identity)) return;
    ops.pidfdSendSignal(pidfd, SIG.SIGKILL);
    await ops.pidfdEnded(pidfd);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  } finally {
    ops.close(pidfd);
  }
}

function openPidfd(pid: number): number | undefined {
  if (pid <= 1) return undefined;
  try {
    return ops.pidfdOpen(pid);
  } catch (error) {
    if (isSysError(error, "ESRCH", "EINVAL")) return undefined;
    throw error;
  }
}

/** Identifies this run of the kernel: a record of an earlier one names no living process. */
export function currentBootId(): string {
  return readText("/proc/sys/kernel/random/boot_id", 64).trim();
}
