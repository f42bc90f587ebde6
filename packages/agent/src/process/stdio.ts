import { type Fd, isSysError, makePipe, ops, type SpawnFd } from "@kata-containers/sys";
import { Input } from "./input.ts";
import { Output } from "./output.ts";

/** What a terminal's buffers hold at most, generously (tty_buffer.c: 64 KiB a port). */
const TERMINAL_HELD = 128 << 10;

/** A process's streams as the agent holds them. */
export interface Streams {
  readonly input: Input;
  readonly stdout: Output;
  /** A terminal has none. */
  readonly stderr: Output | undefined;
}

/** Three pipes: the agent's ends as streams, the process's ends to be spawned with and closed here. */
export class Pipes implements Disposable {
  readonly #theirs: readonly [Fd, Fd, Fd];
  readonly #ours: readonly [Fd, Fd, Fd];
  readonly #size: number;

  /** @param size bytes each pipe should hold; the kernel may give less */
  constructor(size: number) {
    const [input, stdout, stderr] = [makePipe(), makePipe(), makePipe()];
    this.#theirs = [input.read, stdout.write, stderr.write];
    this.#ours = [input.write, stdout.read, stderr.read];
    this.#size = Math.max(...this.#ours.map((fd) => widen(fd.number, size)));
    for (const fd of this.#ours) ops.setNonblock(fd.number, true);
  }

  /** What the process is spawned with. */
  get fds(): SpawnFd[] {
    return this.#theirs.map((fd, to) => ({ from: fd.number, to }));
  }

  /** Takes the agent's ends out: they outlive this object. */
  streams(): Streams {
    const [input, stdout, stderr] = this.#ours;
    return {
      input: new Input(input.release(), "pipe"),
      stdout: new Output(stdout.release(), this.#size),
      stderr: new Output(stderr.release(), this.#size),
    };
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#theirs, ...this.#ours]) fd.close();
  }
}

/** F_SETPIPE_SZ, as far as the kernel allows. */
function widen(fd: number, size: number): number {
  try {
    return ops.setPipeSize(fd, size);
  } catch (error) {
    if (isSysError(error, "EPERM", "EBUSY", "EINVAL")) return size;
    throw error;
  }
}

/** The streams of a process with a terminal, by its master. */
export function terminalStreams(master: number): Streams {
  ops.setNonblock(master, true);
  return {
    input: new Input(master, "terminal"),
    stdout: new Output(master, TERMINAL_HELD),
    stderr: undefined,
  };
}
