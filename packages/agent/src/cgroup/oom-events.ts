import type { AbortSignalLike } from "@kata-containers/sys";

/** Containers that ran out of memory, until the host asks: each at most once, for it is the news that counts. */
export class OomEvents {
  readonly #news = new Set<string>();
  readonly #waiting: ((id: string) => void)[] = [];

  push(id: string): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#news.add(id);
    else waiter(id);
  }

  /** Resolves with the next one; a caller that is gone takes none. */
  next(signal: AbortSignalLike): Promise<string> {
    for (const id of this.#news) {
      this.#news.delete(id);
      return Promise.resolve(id);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => {
        const at = this.#waiting.indexOf(resolve);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason);
      });
    });
  }
}
