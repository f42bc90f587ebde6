/** AbortSignal (WHATWG DOM), as much of it as globals.d.ts declares. */
export class AbortSignalPolyfill {
  #aborted = false;
  #reason: unknown;
  readonly #listeners = new Set<() => void>();

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  /** Aborts `signal`: only its controller calls this. */
  static abortNow(signal: AbortSignalPolyfill, reason: unknown): void {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason;
    const listeners = [...signal.#listeners];
    signal.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

/** AbortController (WHATWG DOM). */
export class AbortControllerPolyfill {
  readonly signal = new AbortSignalPolyfill();

  abort(reason: unknown = new Error("This operation was aborted")): void {
    AbortSignalPolyfill.abortNow(this.signal, reason);
  }
}
