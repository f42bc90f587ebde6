import { type AbortSignalLike, type Block, isSysError, KataError, ops } from "@kata-containers/sys";

/** What one read gives: bytes in native memory, or (the rest of an ended process's output) in ours. Never empty. */
export type Chunk = { readonly block: Block } | { readonly bytes: Uint8Array };

/** Bytes a drained remainder is read by. */
const DRAIN_CHUNK = 64 << 10;

/** End of a stream: an RPC error whose text is EOF, as upstream's agents answer. */
export const endOfFile = () => new KataError("OutOfRange", "EOF");

/**
 * What a process writes: its pipe, or its terminal. Reads are served one at a time, in order, straight from the descriptor.
 *
 * When the process has ended ({@link finish}), what the descriptor holds then is taken out and the descriptor closed: a
 * grandchild that keeps it open holds nobody up, and no byte written before the end is lost.
 */
export class Output {
  readonly #fd: number;
  /** How much a drain takes at most: what fits into the descriptor, so that a grandchild cannot keep it going. */
  readonly #limit: number;
  /** Read already, not yet given to anybody. */
  readonly #rest: Chunk[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #finished = false;
  #endTold = false;

  /**
   * @param fd the reading end, or a terminal's master; non-blocking, ours from now on
   * @param limit bytes the descriptor can hold
   */
  constructor(fd: number, limit: number) {
    this.#fd = fd;
    this.#limit = limit;
  }

  /**
   * One read of at most `max` bytes; waits until there are some.
   * @param signal aborted when the reader is gone: what this read gets is then the next reader's
   * @throws KataError OutOfRange, text "EOF", at the end
   */
  read(max: number, signal?: AbortSignalLike): Promise<Chunk> {
    const mine = this.#turn.then(async () => {
      if (signal?.aborted) throw signal.reason;
      const chunk = await this.#read(max);
      if (!signal?.aborted) return chunk;
      this.#rest.unshift(chunk);
      throw signal.reason;
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** True when the process has ended, every byte has been read, and a reader has been told so. */
  get ended(): boolean {
    return this.#finished && this.#endTold;
  }

  /** The process has ended: keeps what is there, closes the descriptor. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#drain();
    ops.close(this.#fd);
  }

  async #read(max: number): Promise<Chunk> {
    if (!this.#finished && this.#rest.length === 0) {
      try {
        const block = await ops.readBlock(this.#fd, max);
        if (block.len > 0) return { block };
        // Every writer is gone; the process itself may go on.
        throw this.#end();
      } catch (error) {
        // EIO: no slave of the terminal is open. ECANCELED: finish() was quicker, the rest is ours.
        if (isSysError(error, "EIO")) throw this.#end();
        if (!isSysError(error, "ECANCELED")) throw error;
      }
    }
    return this.#takeRest(max);
  }

  /** A block that an earlier reader did not get goes as it is, also when it is larger than `max`. */
  #takeRest(max: number): Chunk {
    const first = this.#rest.shift();
    if (first === undefined) throw this.#end();
    if ("block" in first || first.bytes.length <= max) return first;
    this.#rest.unshift({ bytes: first.bytes.subarray(max) });
    return { bytes: first.bytes.subarray(0, max) };
  }

  #end(): KataError {
    this.#endTold = true;
    return endOfFile();
  }

  #drain(): void {
    ops.cancel(this.#fd);
    try {
      for (let taken = 0; taken < this.#limit; ) {
        const bytes = ops.readSync(this.#fd, Math.min(DRAIN_CHUNK, this.#limit - taken));
        if (bytes.length === 0) return;
        this.#rest.push({ bytes });
        taken += bytes.length;
      }
    } catch (error) {
      if (!isSysError(error, "EAGAIN", "EIO")) throw error;
    }
  }
}
