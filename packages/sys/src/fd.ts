import { ops } from "./ops.ts";
import { SysError } from "./sys-error.ts";

/** An owned descriptor: closed once, at the end of its `using` block or by {@link close}. */
export class Fd implements Disposable {
  #number: number;

  constructor(number: number) {
    this.#number = number;
  }

  /** The descriptor's number. Throws SysError EBADF once it is closed or released. */
  get number(): number {
    if (this.#number < 0) throw new SysError("EBADF", "fd");
    return this.#number;
  }

  /** A second, close-on-exec descriptor of the same open file. */
  dup(): Fd {
    return new Fd(ops.dup(this.number));
  }

  /** Gives the number up to the caller, who closes it from now on. */
  release(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** Closes it; ends pending operations on it with ECANCELED. Does nothing the second time. */
  close(): void {
    if (this.#number >= 0) ops.close(this.release());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A new pipe's ends, close-on-exec, for the caller to close. @throws SysError EMFILE, ENFILE */
export function makePipe(): { read: Fd; write: Fd } {
  const [read = -1, write = -1] = ops.pipe();
  return { read: new Fd(read), write: new Fd(write) };
}
