import { Daemon } from "@kata-containers/protocols";
import type { DaemonClient, SignalInbox } from "@kata-containers/shim";
import { ops, SIG } from "@kata-containers/sys";
import type { ShimProcess } from "./shim-process.ts";
import { terminalSize } from "./stdio.ts";

export interface Attended {
  readonly daemon: DaemonClient;
  readonly shim: ShimProcess;
  readonly signals: SignalInbox;
  readonly id: string;
  /** "" for the container's first process. */
  readonly execId: string;
  /** The process has a terminal, which is ours. */
  readonly terminal: boolean;
}

/**
 * Stays with a process in the foreground: our terminal is raw and tells its size, signals go to the process, until it
 * ends.
 * @returns its exit status: 128 + N after signal N
 */
export async function attend(attended: Attended): Promise<number> {
  const { shim, signals, terminal } = attended;
  using _ = terminal && ops.isatty(0) ? rawTerminal() : undefined;
  if (terminal) await tellSize(attended);
  signals.deliver((signal) => {
    if (signal !== SIG.SIGWINCH) shim.signal(signal);
    else if (terminal) void tellSize(attended);
  });
  const { code, signal } = await Promise.race([shim.exit, signals.failed]);
  return code ?? 128 + (signal ?? 0);
}

function rawTerminal(): Disposable {
  const before = ops.makeRaw(0);
  return { [Symbol.dispose]: () => ops.setTermios(0, before) };
}

/** Gives the process's terminal the size of ours. One that cannot be told, because the process is gone or we have no terminal, does no harm. */
export async function tellSize({
  daemon,
  id,
  execId,
}: Pick<Attended, "daemon" | "id" | "execId">): Promise<void> {
  try {
    const size = terminalSize();
    // The process's keeps the one that it has.
    if (size === undefined) return;
    const request = { id, execId, row: size.height, column: size.width };
    await daemon.call(Daemon.ResizePty, request, { timeoutMs: 10_000 });
  } catch {}
}
