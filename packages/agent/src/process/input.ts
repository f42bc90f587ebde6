import { isSysError, KataError, ops } from "@kata-containers/sys";

/** A process's standard input: the writing end of its pipe, or its terminal's master. Writes are done one after the other. */
export class Input {
  readonly #fd: number;
  /** A terminal's master is closed with its output; closing the input of a terminal means nothing. */
  readonly #isTerminal: boolean;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(fd: number, isTerminal: boolean) {
    this.#fd = fd;
    this.#isTerminal = isTerminal;
  }

  /**
   * Resolves when the process's pipe has taken all bytes: a process that does not read holds its writer up, and nobody else.
   * @param writeTo writes `length` bytes to the descriptor it is given
   * @throws KataError FailedPrecondition when the input is closed, or its reader is gone
   */
  write(length: number, writeTo: (fd: number) => Promise<void>): Promise<number> {
    const mine = this.#turn.then(async () => {
      if (this.#closed) throw closed();
      try {
        await writeTo(this.#fd);
      } catch (error) {
        throw isSysError(error, "EPIPE", "EIO", "ECANCELED") ? closed() : error;
      }
      return length;
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Closes the pipe behind the writes that are under way. Nothing for a terminal. */
  async close(): Promise<void> {
    if (this.#isTerminal) return;
    await this.#turn;
    this.finish();
  }

  /** The process has ended: writes that wait fail. */
  finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    ops.cancel(this.#fd);
    if (!this.#isTerminal) ops.close(this.#fd);
  }
}

const closed = () => new KataError("FailedPrecondition", "standard input is closed");
