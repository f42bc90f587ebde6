import {
  deadline,
  Fd,
  isSysError,
  KataError,
  makePipe,
  mkdirp,
  O,
  ops,
  S,
  SIG,
  signalIfAlive,
} from "@kata-containers/sys";
import type { ProcessStdio } from "@kata-containers/virtcontainers";
import type { HostNamespaces } from "./host-namespaces.ts";

/** Where a process's streams are, as containerd says it: paths of FIFOs, or for stdout and stderr `file://` or `binary://`. "": none. */
export interface StdioPlaces {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

/** Whose process it is, for a logger that is told. */
export interface StdioOwner {
  readonly id: string;
  readonly namespace: string;
}

/** Streams that are open; the descriptors go to the process. */
export interface TaskStdio {
  readonly stdio: ProcessStdio;
  /** The process's stdin ends once what was written to it has been read. Without effect the second time. */
  closeStdin(): void;
  /** Resolves when a `binary://` logger has ended; it is killed when it does not in time. To be called when the streams have ended. */
  ended(): Promise<void>;
  /** Everything is given back: of a process that could not be made. */
  release(): void;
}

/** A container's output leaves by blocks of this size. */
const PIPE_BYTES = 1 << 20;
/** How long a `binary://` logger may take to say that it is ready, ms. */
const LOGGER_READY_MS = 10_000;
/** How long it may take to end after its input has, and then after SIGTERM (12 s in containerd's pkg/process/io.go), ms. */
const LOGGER_END_MS = 2_000;
const LOGGER_TERM_MS = 10_000;

/**
 * Opens a process's streams in the host's view.
 * @throws KataError naming the stream and its place
 */
export async function openTaskStdio(
  places: StdioPlaces,
  owner: StdioOwner,
  host: HostNamespaces,
): Promise<TaskStdio> {
  const { stdin, stdout, stderr, terminal } = places;
  const scheme = schemeOf(stdout || stderr);
  const opened = new Streams(terminal);
  try {
    host.during(() => opened.openInput(stdin));
    if (scheme === "binary") await opened.openLogger(stdout || stderr, owner, host);
    else host.during(() => opened.openOutputs(stdout, terminal ? "" : stderr));
    return opened;
  } catch (error) {
    opened.release();
    throw error;
  }
}

class Streams implements TaskStdio {
  readonly #terminal: boolean;
  #stdin: Fd | undefined;
  /** A writer of ours: that a client leaves is not the end of the input. */
  #stdinHeld: Fd | undefined;
  #stdout: Fd | undefined;
  #stderr: Fd | undefined;
  #logger: OutputLogger | undefined;

  constructor(terminal: boolean) {
    this.#terminal = terminal;
  }

  get stdio(): ProcessStdio {
    return { terminal: this.#terminal, stdin: this.#stdin, stdout: this.#stdout, stderr: this.#stderr };
  }

  openInput(path: string): void {
    if (path === "") return;
    const what = `cannot open stdin ${path}`;
    this.#stdin = open(path, O.RDONLY | O.NONBLOCK, what);
    if ((ops.fstat(this.#stdin.number).mode & S.IFMT) !== S.IFIFO) return;
    this.#stdinHeld = open(path, O.WRONLY | O.NONBLOCK, what);
  }

  openOutputs(stdout: string, stderr: string): void {
    this.#stdout = openOutput(stdout, "stdout");
    // Two descriptors, each of which is closed at its stream's end.
    this.#stderr = openOutput(stderr, "stderr");
  }

  async openLogger(uri: string, owner: StdioOwner, host: HostNamespaces): Promise<void> {
    const program = parseBinaryUri(uri);
    const out = makePipe();
    using stdout = out.read;
    this.#stdout = out.write;
    const err = makePipe();
    using stderr = err.read;
    if (this.#terminal) err.write.close();
    else this.#stderr = err.write;
    this.#logger = new OutputLogger(program, owner, host, stdout, stderr);
    await this.#logger.ready();
  }

  closeStdin(): void {
    this.#stdinHeld?.close();
  }

  async ended(): Promise<void> {
    this.closeStdin();
    await this.#logger?.end();
  }

  release(): void {
    for (const fd of [this.#stdin, this.#stdinHeld, this.#stdout, this.#stderr]) fd?.close();
    // It sees the end of its input; who does not mind that is killed in time.
    void this.#logger?.end();
  }
}

/** A program that reads a process's output: descriptors 3 and 4 are its stdout and stderr, the end of 5 says that it is ready. */
class OutputLogger {
  readonly #what: string;
  readonly #pidfd: Fd;
  readonly #ready: Fd;
  readonly #exit: Promise<unknown>;

  /** @param stdout, stderr what it reads; the caller closes them */
  constructor({ path, args }: BinaryUri, owner: StdioOwner, host: HostNamespaces, stdout: Fd, stderr: Fd) {
    this.#what = `logger ${path}`;
    const { read, write } = makePipe();
    using told = write;
    try {
      const { pidfd } = ops.spawn({
        path,
        argv: [path, ...args],
        env: [...ops.env(), `CONTAINER_ID=${owner.id}`, `CONTAINER_NAMESPACE=${owner.namespace}`],
        cwd: "/",
        fds: [
          { from: stdout.number, to: 3 },
          { from: stderr.number, to: 4 },
          { from: told.number, to: 5 },
        ],
        join: host.all,
      });
      this.#pidfd = new Fd(pidfd);
    } catch (error) {
      read.close();
      throw KataError.from(error, `cannot start ${this.#what}`);
    }
    this.#ready = read;
    this.#exit = ops.waitPidfd(this.#pidfd.number);
    this.#exit.catch(() => {});
  }

  /** @throws KataError when it does not say so in time */
  async ready(): Promise<void> {
    using pipe = this.#ready;
    const late = () =>
      new KataError("DeadlineExceeded", `${this.#what}: not ready within ${LOGGER_READY_MS / 1000} s`);
    const said = ops.read(pipe.number, 1);
    said.catch(() => {});
    await deadline(said, LOGGER_READY_MS, late);
  }

  /** Waits for its end; it is helped when it does not come. */
  async end(): Promise<void> {
    const within = (ms: number) => deadline(this.#exit, ms, () => new Error("late"));
    await within(LOGGER_END_MS)
      .catch(() => {
        signalIfAlive(this.#pidfd.number, SIG.SIGTERM);
        return within(LOGGER_TERM_MS);
      })
      .catch(() => signalIfAlive(this.#pidfd.number, SIG.SIGKILL));
    await this.#exit.catch(() => {});
    this.#pidfd.close();
  }
}

/** "fifo" for a path without a scheme. @throws KataError InvalidArgument */
function schemeOf(uri: string): "fifo" | "file" | "binary" {
  const [, scheme = "fifo"] = /^([a-z][a-z0-9+.-]*):\/\//.exec(uri) ?? [];
  if (scheme === "fifo" || scheme === "file" || scheme === "binary") return scheme;
  throw new KataError("InvalidArgument", `stdio ${uri}: scheme ${scheme} is not fifo, file or binary`);
}

function openOutput(uri: string, name: string): Fd | undefined {
  if (uri === "") return undefined;
  const what = `cannot open ${name} ${uri}`;
  switch (schemeOf(uri)) {
    case "fifo": {
      // Both ends: it opens without a reader, and that a client leaves breaks nothing. A file is written to behind what it has.
      const fd = open(pathOf(uri), O.RDWR | O.APPEND | O.NONBLOCK, what);
      enlarge(fd);
      return fd;
    }
    case "file": {
      const path = pathOf(uri);
      mkdirp(path.slice(0, path.lastIndexOf("/")) || "/", 0o755);
      return open(path, O.WRONLY | O.CREAT | O.APPEND | O.NONBLOCK, what);
    }
    case "binary":
      throw new KataError("InvalidArgument", `${what}: binary is for both streams, and is named by stdout`);
  }
}

function open(path: string, flags: number, what: string): Fd {
  try {
    return new Fd(ops.open(path, flags | O.NOCTTY | O.CLOEXEC, 0o644));
  } catch (error) {
    throw KataError.from(error, what);
  }
}

/** More than the user's share of pipe buffers (pipe(7), pipe-user-pages-soft) is refused: then it stays as it was. */
function enlarge(fd: Fd): void {
  try {
    ops.setPipeSize(fd.number, PIPE_BYTES);
  } catch (error) {
    if (!isSysError(error, "EPERM", "EBUSY", "EBADF", "EINVAL")) throw error;
  }
}

function pathOf(uri: string): string {
  const [, rest] = /^[a-z]+:\/\/([^?#]*)/.exec(uri) ?? [];
  return rest === undefined ? uri : decode(rest, uri);
}

type BinaryUri = { readonly path: string; readonly args: readonly string[] };

/** `binary:///path?key=value&key2`: the program and its arguments, each key and then its value. */
export function parseBinaryUri(uri: string): BinaryUri {
  const query = uri.split("?")[1]?.split("#")[0] ?? "";
  const args = query
    .split("&")
    .filter(Boolean)
    .flatMap((pair) => {
      const [key = "", ...value] = pair.split("=");
      const words = value.length === 0 ? [key] : [key, value.join("=")];
      return words.map((word) => decode(word.replaceAll("+", " "), uri)).filter((word) => word !== "");
    });
  return { path: pathOf(uri), args };
}

function decode(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new KataError("InvalidArgument", `stdio ${uri}: wrong escape`, { cause });
  }
}
