import { type ExitStatus, type Ops, ops, readText, SIG, setOps } from "@kata-containers/sys";

/** How the agent learns that a process it started has ended. */
export interface ChildWaiter {
  /** The status of the child `pid`, once. `pidfd` stays the caller's. */
  wait(pid: number, pidfd: number): Promise<ExitStatus>;
  /** Call before a child is started; dispose it after {@link wait} has been called for the child. */
  expect(): Disposable;
}

/** For an agent that is an ordinary process: each child is waited for by its descriptor. */
export const pidfdWaiter: ChildWaiter = {
  wait: (_pid, pidfd) => ops.waitPidfd(pidfd),
  expect: () => ({ [Symbol.dispose]: () => {} }),
};

/**
 * For PID 1: the only one that waits. It reaps whatever ends: a known child's status goes to whoever waits for it, an orphan's
 * nowhere. A child may end before its pid is known to anyone here; while somebody {@link expect}s a child, statuses that nobody
 * waits for are kept.
 */
export class Reaper implements ChildWaiter {
  readonly #waiting = new Map<number, (status: ExitStatus) => void>();
  readonly #early = new Map<number, ExitStatus>();
  #expected = 0;

  /** Reaps for ever. */
  async run(): Promise<never> {
    const signals = ops.signalOpen([SIG.SIGCHLD]);
    for (;;) {
      this.reap();
      await ops.signalRead(signals);
    }
  }

  /**
   * Makes `ops.waitPidfd` ask the reaper, so that code which waits for its own children (launch) and PID 1 do not take
   * each other's statuses. Call it once, first of all.
   */
  install(): void {
    const native = ops;
    const table: Ops = Object.create(native);
    const spawned = new Map<number, number>();
    table.spawn = (args) => {
      const child = native.spawn(args);
      spawned.set(child.pidfd, child.pid);
      // Nothing is reaped between the clone and here: what is known of this pid is of a process before.
      this.#early.delete(child.pid);
      return child;
    };
    // The number may next be that of another child's descriptor.
    table.close = (fd) => {
      spawned.delete(fd);
      native.close(fd);
    };
    table.waitPidfd = (pidfd) => {
      const pid = spawned.get(pidfd) ?? pidOf(pidfd);
      spawned.delete(pidfd);
      // Reaped already: whoever asks so late wants its end, not its status.
      return pid > 0 ? this.wait(pid) : Promise.resolve({ pid, code: 0 });
    };
    setOps(table);
  }

  /** Reaps every child that has ended by now. One SIGCHLD may stand for many of them. */
  reap(): void {
    for (let status = ops.reapAny(); status !== undefined; status = ops.reapAny()) {
      const waiter = this.#waiting.get(status.pid);
      this.#waiting.delete(status.pid);
      if (waiter !== undefined) waiter(status);
      else if (this.#expected > 0) this.#early.set(status.pid, status);
    }
  }

  wait(pid: number, _pidfd?: number): Promise<ExitStatus> {
    const early = this.#early.get(pid);
    if (early !== undefined) {
      this.#early.delete(pid);
      return Promise.resolve(early);
    }
    return new Promise((resolve) => this.#waiting.set(pid, resolve));
  }

  expect(): Disposable {
    this.#expected++;
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        if (--this.#expected === 0) this.#early.clear();
      },
    };
  }
}

/** A pidfd's process, by /proc/self/fdinfo (pidfd_open(2)); -1 when it has ended and been reaped. */
function pidOf(pidfd: number): number {
  return Number(/^Pid:\s*(-?\d+)$/m.exec(readText(`/proc/self/fdinfo/${pidfd}`))?.[1] ?? -1);
}

/** The status a shell would give: the exit code, or 128 plus the signal. */
export function shellStatus(status: ExitStatus): number {
  return status.signal === undefined ? (status.code ?? 0) : 128 + status.signal;
}
