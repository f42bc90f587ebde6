import { Fd, O, ops, unlinkIfThere } from "@kata-containers/sys";
import { MEMORY_DIR } from "../confine/confinement.ts";

const NAME = "guest";

/** The guest's memory as the VMM finds it: a file in a directory that is the sandbox's alone. */
export const MEMORY_FILE = `${MEMORY_DIR}/${NAME}`;

/** A new file for a guest's memory, all zeroes. It has a name until it is disposed of, by when the VMM has it open. */
export class MemoryFile implements Disposable {
  readonly fd: Fd;
  readonly #path: string;

  /** @throws SysError */
  constructor(directory: string, MiB: number) {
    this.#path = `${directory}/${NAME}`;
    this.fd = new Fd(ops.open(this.#path, O.RDWR | O.CREAT | O.EXCL | O.CLOEXEC, 0o600));
    try {
      ops.ftruncate(this.fd.number, MiB * 2 ** 20);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.fd.close();
    unlinkIfThere(this.#path);
  }
}
