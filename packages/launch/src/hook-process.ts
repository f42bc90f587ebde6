import type { Hook } from "@kata-containers/oci";
import {
  type AbortSignalLike,
  deadline,
  type ExitStatus,
  Fd,
  isSysError,
  KataError,
  makePipe,
  ops,
  SIG,
  signalName,
} from "@kata-containers/sys";

/** For a hook that names no time-out: every wait is bounded. */
export const HOOK_SECONDS = 3600;

/** What is kept of the end of a hook's output, bytes. */
const TAIL_BYTES = 2048;
const READ_BYTES = 64 * 1024;
/** How many reads empty a pipe, whose last bytes a hook's child may go on writing behind. */
const LAST_READS = 32;

/**
 * Runs one hook to its end: the state is its standard input, and what it writes is kept for the error.
 * @param name for errors: "hook prestart[0]"
 * @param stop aborts it: the hook is killed
 * @param join descriptors of the namespaces that it runs in; none: ours
 * @throws KataError naming the hook, how it ended, and its last words, when that was not with status 0 in its time
 */
export async function runHook(
  hook: Hook,
  name: string,
  state: string,
  stop?: AbortSignalLike,
  join: readonly number[] = [],
): Promise<void> {
  const seconds = hook.timeout ?? HOOK_SECONDS;
  const what = `${name} ${hook.path}`;
  using process = new HookProcess(hook, what, state, join);
  const kill = () => process.kill();
  stop?.addEventListener("abort", kill);
  if (stop?.aborted) kill();
  try {
    const { code, signal } = await deadline(process.exit, seconds * 1000, () => new HookTimeout());
    if (code === 0) return;
    const how = signal === undefined ? `exit status ${code}` : `ended by ${signalName(signal)}`;
    throw new KataError("Internal", `${what}: ${how}${await process.lastWords()}`);
  } catch (error) {
    if (!(error instanceof HookTimeout)) throw error;
    process.kill();
    await process.exit;
    const words = await process.lastWords();
    throw new KataError("DeadlineExceeded", `${what}: killed, it did not end within ${seconds} s${words}`);
  } finally {
    stop?.removeEventListener("abort", kill);
  }
}

class HookTimeout extends Error {}

/** A hook's process: in a session of its own, so that its children can be killed with it. */
class HookProcess implements Disposable {
  readonly exit: Promise<ExitStatus>;
  readonly #pid: number;
  readonly #pidfd: Fd;
  readonly #output: Fd;
  readonly #input: Fd;
  readonly #reading: Promise<void>;
  #tail = new Uint8Array();
  #ended = false;

  constructor(hook: Hook, what: string, state: string, join: readonly number[]) {
    const { read: input, write: inputWrite } = makePipe();
    const { read: outputRead, write: output } = makePipe();
    this.#input = inputWrite;
    this.#output = outputRead;
    try {
      const { pid, pidfd } = ops.spawn({
        path: hook.path,
        argv: hook.args?.length ? [...hook.args] : [hook.path],
        // As runc: a hook without an environment gets the runtime's.
        env: hook.env === undefined ? ops.env() : [...hook.env],
        fds: [
          { from: input.number, to: 0 },
          { from: output.number, to: 1 },
          { from: output.number, to: 2 },
        ],
        join: [...join],
        setsid: true,
      });
      this.#pid = pid;
      this.#pidfd = new Fd(pidfd);
    } catch (error) {
      this.#input.close();
      this.#output.close();
      throw KataError.from(error, `${what}: cannot start`);
    } finally {
      input.close();
      output.close();
    }
    this.exit = ops.waitPidfd(this.#pidfd.number).then((status) => {
      this.#ended = true;
      return status;
    });
    this.exit.catch(() => {});
    void this.#give(state);
    this.#reading = this.#read();
  }

  /** Ends it and its children. */
  kill(): void {
    if (this.#ended) return;
    try {
      ops.kill(-this.#pid, SIG.SIGKILL);
    } catch (error) {
      if (!isSysError(error, "ESRCH")) throw error;
    }
  }

  /** ": what it said last", or nothing. To be asked once it has ended; what its children hold open is not waited for. */
  async lastWords(): Promise<string> {
    ops.cancel(this.#output.number);
    await this.#reading;
    ops.setNonblock(this.#output.number, true);
    try {
      for (let read = 0; read < LAST_READS; read++) {
        const bytes = ops.readSync(this.#output.number, READ_BYTES);
        if (bytes.length === 0) break;
        this.#keep(bytes);
      }
    } catch (error) {
      if (!isSysError(error, "EAGAIN")) throw error;
    }
    const lines = ops
      .utf8Decode(this.#tail)
      .split("\n")
      .map((line) => line.trim());
    const words = lines
      .filter((line) => line !== "")
      .slice(-3)
      .join("; ");
    return words === "" ? "" : `: ${words}`;
  }

  [Symbol.dispose](): void {
    this.#input.close();
    this.#output.close();
    this.#pidfd.close();
  }

  /** A hook need not read its state. */
  async #give(state: string): Promise<void> {
    try {
      await ops.write(this.#input.number, ops.utf8Encode(state));
      this.#input.close();
    } catch (error) {
      if (!isSysError(error, "EPIPE", "ECANCELED", "EBADF")) throw error;
    }
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const bytes = await ops.read(this.#output.number, READ_BYTES);
        if (bytes.length === 0) return;
        this.#keep(bytes);
      }
    } catch (error) {
      if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
    }
  }

  #keep(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#tail.length + bytes.length);
    all.set(this.#tail);
    all.set(bytes, this.#tail.length);
    this.#tail = all.slice(-TAIL_BYTES);
  }
}
