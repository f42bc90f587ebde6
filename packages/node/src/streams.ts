import { type Fd, KataError, makePipe, ops } from "@kata-containers/sys";
import type { InputStream, OutputStream, Stdio, StdioOptions } from "./api.ts";

/** One read of a pipe. */
const READ_BYTES = 1 << 18;
const MAX_TEXT_BYTES = 16 << 20;

/** A process's streams on this side, and what its daemon gets. */
export class Streams implements Disposable {
  readonly #stdin: InputPipe | undefined;
  readonly #stdout: OutputPipe | undefined;
  readonly #stderr: OutputPipe | undefined;
  /** For the daemon, in the order stdin, stdout, stderr; undefined: /dev/null. */
  readonly daemonFds: readonly (number | undefined)[];
  readonly #theirs: Fd[] = [];

  constructor({ stdin = "ignore", stdout = "ignore", stderr = "ignore" }: StdioOptions) {
    const [input, output, errors] = [stdin, stdout, stderr].map((wish) =>
      wish === "pipe" ? makePipe() : undefined,
    );
    this.#stdin = input && new InputPipe(input.write);
    this.#stdout = output && new OutputPipe(output.read);
    this.#stderr = errors && new OutputPipe(errors.read);
    for (const fd of [input?.read, output?.write, errors?.write]) if (fd !== undefined) this.#theirs.push(fd);
    this.daemonFds = [
      input?.read.number ?? own(stdin, 0),
      output?.write.number ?? own(stdout, 1),
      errors?.write.number ?? own(stderr, 2),
    ];
  }

  get stdin(): InputStream {
    return this.#stdin ?? notAPipe("stdin");
  }

  get stdout(): OutputStream {
    return this.#stdout ?? notAPipe("stdout");
  }

  get stderr(): OutputStream {
    return this.#stderr ?? notAPipe("stderr");
  }

  /** The daemon has its ends now: the end of a stream shall be seen. */
  handedOver(): void {
    for (const fd of this.#theirs) fd.close();
  }

  /** Closes everything; what is read or written meanwhile ends. */
  [Symbol.dispose](): void {
    this.handedOver();
    this.#stdin?.end();
    this.#stdout?.close();
    this.#stderr?.close();
  }
}

function own(wish: Stdio, inherited: number): number | undefined {
  if (typeof wish === "number") return wish;
  return wish === "inherit" ? inherited : undefined;
}

function notAPipe(name: string): never {
  throw new KataError("FailedPrecondition", `${name}: is no stream (ask for ${name}: "pipe")`);
}

class InputPipe implements InputStream {
  readonly #fd: Fd;

  constructor(fd: Fd) {
    this.#fd = fd;
  }

  async write(data: string | Uint8Array): Promise<void> {
    await ops.write(this.#fd.number, typeof data === "string" ? ops.utf8Encode(data) : data);
  }

  end(): void {
    this.#fd.close();
  }
}

class OutputPipe implements OutputStream {
  readonly #fd: Fd;

  constructor(fd: Fd) {
    this.#fd = fd;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const bytes = await ops.read(this.#fd.number, READ_BYTES);
        if (bytes.length === 0) return;
        yield bytes;
      }
    } finally {
      this.close();
    }
  }

  async text(maxBytes = MAX_TEXT_BYTES): Promise<string> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this) {
      size += part.length;
      if (size > maxBytes)
        throw new KataError("ResourceExhausted", `the output is longer than ${maxBytes} bytes`);
      parts.push(part);
    }
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return ops.utf8Decode(all);
  }

  close(): void {
    this.#fd.close();
  }
}
