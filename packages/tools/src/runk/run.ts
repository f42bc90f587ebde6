import { type Launched, runLaterHooks } from "@kata-containers/launch";
import { Fd, isSysError, ops, SIG } from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";
import { relayConsole } from "./console.ts";
import { CREATE_OPTIONS, createContainer } from "./create-container.ts";
import { destroyContainer } from "./destroy-container.ts";
import type { Globals } from "./globals.ts";
import { RecordDirectory } from "./record.ts";
import { warn } from "./report.ts";

export const RUN_OPTIONS: Options = { ...CREATE_OPTIONS, detach: { short: "d" }, keep: {} };

/** create and start in one; in the foreground also wait and delete. @returns the process's status, 128 + its signal. */
export async function run(args: Arguments, globals: Globals): Promise<number> {
  const id = args.word(0, "container id");
  const detach = args.flag("detach");
  const signals = detach ? undefined : new Fd(ops.signalOpen([...FORWARDED]));
  const created = await createContainer(id, args, globals, false, !detach);
  created.directory[Symbol.dispose]();
  const { record } = created;
  const container = { ...record, annotations: record.annotations ?? {} };
  await runLaterHooks("poststart", record.hooks?.poststart, container, record.pid, warn);
  if (signals === undefined) return 0;
  const status = await waitInForeground(created.process, signals);
  signals.close();
  if (!args.flag("keep")) {
    using directory = RecordDirectory.open(globals.root, id);
    await destroyContainer(directory, created.record);
  }
  return status;
}

const FORWARDED = [
  SIG.SIGHUP,
  SIG.SIGINT,
  SIG.SIGQUIT,
  SIG.SIGTERM,
  SIG.SIGUSR1,
  SIG.SIGUSR2,
  SIG.SIGCONT,
] as const;

/** Passes terminal and signals on until the process ends. */
export async function waitInForeground(process: Launched, signals: Fd): Promise<number> {
  const forwarding = forward(process, signals).catch(ignoreCancel);
  const ended = ops.waitPidfd(process.pidfd.number);
  if (process.console !== undefined) await relayConsole(process.console, ended);
  const { code, signal } = await ended;
  ops.cancel(signals.number);
  await forwarding;
  return code ?? 128 + (signal ?? 0);
}

export function openForwarded(): Fd {
  return new Fd(ops.signalOpen([...FORWARDED]));
}

async function forward(process: Launched, signals: Fd): Promise<void> {
  while (true) {
    const signal = await ops.signalRead(signals.number);
    try {
      ops.pidfdSendSignal(process.pidfd.number, signal);
    } catch (error) {
      if (!isSysError(error, "ESRCH")) throw error;
    }
  }
}

function ignoreCancel(error: unknown): void {
  if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
}
