import { KataError, ops, signalIfAlive, type Winsize } from "@kata-containers/sys";
import type { ChildWaiter } from "./reaper.ts";
import { shellStatus } from "./reaper.ts";
import type { Streams } from "./stdio.ts";

/** A process that has been started, as kata-launch reports it. */
export interface LaunchedProcess {
  readonly pid: number;
  readonly pidfd: number;
  readonly streams: Streams;
  /** Terminal's master, for its size. */
  readonly master: number | undefined;
}

/** One process of a container: its streams, and its end. */
export class GuestProcess {
  readonly execId: string;
  readonly pid: number;
  /** Closed when the process has ended. */
  readonly pidfd: number;
  readonly streams: Streams;
  /** Resolves with the status a shell would give, when the process has ended and its output has been drained. */
  readonly exited: Promise<number>;
  /** Set once WaitProcess has been answered. */
  waitedFor = false;
  readonly #master: number | undefined;
  #status: number | undefined;

  constructor(execId: string, launched: LaunchedProcess, waiter: ChildWaiter) {
    this.execId = execId;
    this.pid = launched.pid;
    this.streams = launched.streams;
    this.pidfd = launched.pidfd;
    this.#master = launched.master;
    this.exited = waiter.wait(launched.pid, launched.pidfd).then((status) => this.#end(shellStatus(status)));
  }

  /** The status, once it has ended. */
  get status(): number | undefined {
    return this.#status;
  }

  /** True when somebody has been told its end, and all it wrote has been read: nothing more to ask it. */
  get spent(): boolean {
    const { stdout, stderr } = this.streams;
    return this.waitedFor && this.#status !== undefined && stdout.ended && (stderr?.ended ?? true);
  }

  /** Sends a signal; nothing when the process has ended. Never reaches another process, whatever became of the pid. */
  signal(signal: number): void {
    if (this.#status !== undefined) return;
    // It may have just ended, and the reaper has not told yet.
    signalIfAlive(this.pidfd, signal);
  }

  /** @throws KataError FailedPrecondition when the process has no terminal */
  resize(size: Winsize): void {
    if (this.#master === undefined) {
      throw new KataError("FailedPrecondition", `process ${this.execId} has no terminal`);
    }
    if (this.#status === undefined) ops.setWinsize(this.#master, size);
  }

  #end(status: number): number {
    this.#status = status;
    this.streams.input.finish();
    this.streams.stdout.finish();
    this.streams.stderr?.finish();
    ops.close(this.pidfd);
    return status;
  }
}
