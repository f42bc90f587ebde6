import { O, ops } from "@kata-containers/sys";

/** A log that reaches this size is renamed to `<path>.1` and begun anew: a guest that talks cannot fill the host's /run. */
export const LOG_LIMIT = 8 << 20;

/** A log file in two parts of at most `limit` bytes (and a line) each: `path`, and what was before it in `<path>.1`. */
export class LogFile {
  /** Stays the same when the file is begun anew. */
  readonly fd: number;
  readonly #path: string;
  readonly #limit: number;
  #size: number;

  /** @throws SysError when the file cannot be opened. */
  constructor(path: string, limit: number = LOG_LIMIT) {
    this.#path = path;
    this.#limit = limit;
    this.fd = openLog(path);
    this.#size = ops.fstat(this.fd).size;
  }

  /** To be told of every write. */
  readonly written = (bytes: number): void => {
    this.#size += bytes;
    if (this.#size < this.#limit) return;
    this.#size = 0;
    try {
      ops.rename(this.#path, `${this.#path}.1`);
      const next = openLog(this.#path);
      ops.dup2(next, this.fd);
      ops.setCloexec(this.fd, true);
      ops.close(next);
    } catch {
      // A full disk, say. The bound holds all the same.
      ops.ftruncate(this.fd, 0);
    }
  };
}

function openLog(path: string): number {
  return ops.open(path, O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o600);
}
