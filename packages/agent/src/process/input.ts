import { isSysError, KataError, ops, SHUT } from "@kata-containers/sys";

/** What it is written to, and so how it ends: a terminal's master and a connection are closed with the output, which has the same descriptor. */
export type InputKind = "pipe" | "terminal" | "connection";

/** A process's standard input: the writing end of its pipe, or its terminal's master; or what goes out by a connection. Writes are done one after the other. */
export class Input {
  readonly #fd: number;
  readonly #kind: InputKind;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(fd: number, kind: InputKind) {
    this.#fd = fd;
    this.#kind = kind;
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
        throw isSysError(error, "EPIPE", "EIO", "ECONNRESET", "ECANCELED") ? closed() : error;
      }
      return length;
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Closes it behind the writes that are under way. Nothing for a terminal. */
  async close(): Promise<void> {
    if (this.#kind === "terminal") return;
    await this.#turn;
    if (this.#kind === "connection" && !this.#closed) ops.shutdown(this.#fd, SHUT.WR);
    this.finish();
  }

  /** The process has ended: writes that wait fail. */
  finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#kind === "connection") return;
    ops.cancel(this.#fd);
    if (this.#kind === "pipe") ops.close(this.#fd);
  }
}

const closed = () => new KataError("FailedPrecondition", "standard input is closed");
