import { ops } from "./ops.ts";
import { isSysError } from "./sys-error.ts";

/** Sends a signal to the process of a pidfd; one that has ended needs none. */
export function signalIfAlive(pidfd: number, signal: number): void {
  try {
    ops.pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}
