import type { HttpStream } from "../management/http-connection.ts";

/** A connection whose client is the test. */
export class FakeStream implements HttpStream {
  readonly #incoming: Uint8Array[] = [];
  #wake: () => void = () => {};
  #ended = false;
  closed = false;
  /** What was answered. */
  answered = "";
  /** The client takes nothing. */
  stuck = false;
  /** The client goes on although the connection has an end for it. */
  stays = false;

  /** The client sends something; it arrives in one piece. */
  send(...pieces: readonly (string | Uint8Array)[]): this {
    for (const piece of pieces)
      this.#incoming.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
    this.#wake();
    return this;
  }

  /** The client sends nothing more. */
  end(): this {
    this.#ended = true;
    this.#wake();
    return this;
  }

  async read(max: number): Promise<Uint8Array> {
    while (this.#incoming.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.closed) throw new Error("closed");
    }
    const [first = new Uint8Array()] = this.#incoming;
    if (first.length <= max) this.#incoming.shift();
    else this.#incoming[0] = first.subarray(max);
    return first.subarray(0, max);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.stuck) return await new Promise(() => {});
    this.answered += new TextDecoder().decode(bytes);
  }

  endWriting(): void {
    if (!this.stays) this.end();
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }

  /** Bytes that were sent and not read. */
  get unread(): number {
    return this.#incoming.reduce((sum, { length }) => sum + length, 0);
  }

  /** Statuses of the answers, in order. */
  statuses(): number[] {
    return [...this.answered.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
  }
}
