import { ops } from "@kata-containers/sys";

/** Something that ends by itself at a time. */
export interface Expiring {
  /** Milliseconds on the monotonic clock. */
  deadline: number;
  expire(): void;
}

/** The deadlines of a connection's calls, under one timer: most calls end long before, and then cost no timer at all. */
export class Deadlines {
  private readonly entries = new Set<Expiring>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private armedFor = Number.POSITIVE_INFINITY;

  /** @param ms from now */
  add(entry: Expiring, ms: number): void {
    entry.deadline = ops.monotonicMs() + ms;
    this.entries.add(entry);
    this.arm(entry.deadline, ms);
  }

  delete(entry: Expiring): void {
    this.entries.delete(entry);
  }

  clear(): void {
    this.entries.clear();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
  }

  private arm(deadline: number, ms: number): void {
    if (deadline < this.armedFor) {
      clearTimeout(this.timer);
      this.armedFor = deadline;
      this.timer = setTimeout(this.onTimer, Math.min(Math.max(1, Math.ceil(ms)), 0x7fff_ffff));
    }
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
    const now = ops.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const entry of [...this.entries]) {
      if (entry.deadline <= now) {
        this.entries.delete(entry);
        entry.expire();
      } else {
        next = Math.min(next, entry.deadline);
      }
    }
    if (next < Number.POSITIVE_INFINITY) {
      this.arm(next, next - now);
    }
  };
}
