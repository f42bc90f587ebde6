import { Fd, isSysError, ops, SIG } from "@kata-containers/sys";

/** The end of a command: what makes it stop waiting and undo. */
export const ENDING = [SIG.SIGHUP, SIG.SIGINT, SIG.SIGQUIT, SIG.SIGTERM] as const;

const NEVER: readonly number[] = [
  // Cannot be caught.
  SIG.SIGKILL,
  SIG.SIGSTOP,
  // Ours, not the container's: children, a reader that left, faults of this process.
  SIG.SIGCHLD,
  SIG.SIGPIPE,
  SIG.SIGSEGV,
  SIG.SIGBUS,
  SIG.SIGFPE,
  SIG.SIGILL,
  SIG.SIGSYS,
  SIG.SIGTRAP,
  // Go's preemption signal: runc does not forward it either.
  SIG.SIGURG,
];

/** What `run` and `exec` pass on to the container's process, and SIGWINCH, which tells a new size of the terminal. */
export const FORWARDED: readonly number[] = Object.values(SIG).filter((signal) => !NEVER.includes(signal));

/** The signals that this process gets from now on: held until somebody takes them, then handed over as they come. */
export class SignalInbox implements Disposable {
  readonly #fd: Fd;
  readonly #held: number[] = [];
  #take: ((signal: number) => void) | undefined;
  /** Rejects when no signal can be read any more: who waits for one besides something else gives up, and undoes. */
  readonly failed: Promise<never>;

  /** Blocks these signals and reads them from a signalfd, for as long as the inbox is open. */
  constructor(signals: readonly number[]) {
    this.#fd = new Fd(ops.signalOpen([...signals]));
    this.failed = new Promise((_, reject) => {
      this.#receive().catch(reject);
    });
    // Nobody need wait.
    this.failed.catch(() => {});
  }

  /** From now on `take` gets every signal, those that were held first; it replaces an earlier one. */
  deliver(take: (signal: number) => void): void {
    this.#take = take;
    for (const signal of this.#held.splice(0)) take(signal);
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const signal = await ops.signalRead(this.#fd.number);
        if (this.#take === undefined) this.#held.push(signal);
        else this.#take(signal);
      }
    } catch (error) {
      if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
    }
  }
}
