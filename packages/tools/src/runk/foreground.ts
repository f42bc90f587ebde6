import type { Launched } from "@kata-containers/launch";
import { Fd, isSysError, ops, SIG, signalIfAlive } from "@kata-containers/sys";
import { relayConsole } from "./console.ts";

const FORWARDED = [
  SIG.SIGHUP,
  SIG.SIGINT,
  SIG.SIGQUIT,
  SIG.SIGTERM,
  SIG.SIGUSR1,
  SIG.SIGUSR2,
  SIG.SIGCONT,
] as const;

/** Signals that come from now on are kept for the container's process. */
export function openForwarded(): Fd {
  return new Fd(ops.signalOpen([...FORWARDED]));
}

/** Passes terminal and signals on until the process ends. @returns its status, 128 + its signal */
export async function waitInForeground(process: Launched, signals: Fd): Promise<number> {
  const forwarding = forward(process, signals).catch(ignoreCancel);
  const ended = ops.waitPidfd(process.pidfd.number);
  if (process.console !== undefined) await relayConsole(process.console, ended);
  const { code, signal } = await ended;
  ops.cancel(signals.number);
  await forwarding;
  return code ?? 128 + (signal ?? 0);
}

async function forward(process: Launched, signals: Fd): Promise<void> {
  while (true) {
    const signal = await ops.signalRead(signals.number);
    signalIfAlive(process.pidfd.number, signal);
  }
}

function ignoreCancel(error: unknown): void {
  if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
}
