import { sleep } from "@kata-containers/sys";

/** How long a daemon without a VM waits for somebody to ask about it, ms. */
export const LINGER_MS = 5_000;

/** Decides when a daemon has nothing left to do: its VM is gone, and nobody has called for a while. */
export class Lifetime {
  #calls = 0;
  #lastEnd = 0;
  #vmGone = false;
  #leave: () => void = () => {};
  /** Resolves when the daemon shall leave. */
  readonly over: Promise<void>;

  constructor() {
    this.over = new Promise((resolve) => {
      this.#leave = resolve;
    });
  }

  /** Counts a call for as long as it runs. */
  async during<T>(call: () => Promise<T>): Promise<T> {
    this.#calls++;
    try {
      return await call();
    } finally {
      this.#calls--;
      this.#lastEnd++;
      this.#linger();
    }
  }

  /** For a daemon whose creator died before it called: gives up after `ms` without a single call. */
  endUnlessCalled(ms: number): void {
    sleep(ms).then(() => {
      if (this.#calls === 0 && this.#lastEnd === 0) this.#leave();
    });
  }

  vmGone(): void {
    this.#vmGone = true;
    this.#linger();
  }

  /** Leaves now. */
  end(): void {
    this.#leave();
  }

  #linger(): void {
    if (!this.#vmGone || this.#calls > 0) return;
    const seen = this.#lastEnd;
    sleep(LINGER_MS).then(() => {
      if (this.#calls === 0 && this.#lastEnd === seen) this.#leave();
    });
  }
}
