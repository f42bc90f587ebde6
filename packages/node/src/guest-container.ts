import type { Process as OciProcess } from "@kata-containers/oci";
import { Daemon } from "@kata-containers/protocols";
import { type Bundle, createTimeoutMs, openTrees } from "@kata-containers/shim";
import { deadline, KataError, ops, SIG, signalNumber } from "@kata-containers/sys";
import { hex } from "@kata-containers/virtcontainers";
import type { Container, ExecOptions, InputStream, OutputStream, Process } from "./api.ts";
import type { SandboxLink } from "./sandbox-link.ts";
import { Streams } from "./streams.ts";

const STOP_MS = 10_000;
const STATUSES = ["creating", "created", "running", "paused", "stopped"] as const;

/** A container, seen from this program. */
export class GuestContainer implements Container {
  readonly id: string;
  protected readonly link: SandboxLink;
  readonly #streams: Streams;
  readonly #process: OciProcess;
  readonly #exit: Promise<number>;

  /** @param process its own command, which `exec` takes after */
  constructor(id: string, link: SandboxLink, process: OciProcess, streams: Streams) {
    this.id = id;
    this.link = link;
    this.#process = process;
    this.#streams = streams;
    // Asked at once: the daemon leaves soon after the virtual machine has ended.
    this.#exit = this.#askExit();
    this.#exit.catch(() => {});
  }

  get stdin(): InputStream {
    return this.#streams.stdin;
  }

  get stdout(): OutputStream {
    return this.#streams.stdout;
  }

  get stderr(): OutputStream {
    return this.#streams.stderr;
  }

  async start(): Promise<void> {
    await this.link.call(Daemon.Start, { id: this.id }, { timeoutMs: this.link.requestMs });
  }

  async exec(args: readonly string[], options: ExecOptions = {}): Promise<Process> {
    if (args.length === 0) throw new KataError("InvalidArgument", "exec: args: a command is needed");
    const { env = [], cwd, user } = options;
    const process = {
      ...this.#process,
      args,
      env: [...(this.#process.env ?? []), ...env],
      ...(cwd === undefined ? {} : { cwd }),
      ...(user === undefined ? {} : { user }),
    };
    return await startProcess(this.link, this.id, process, new Streams(options));
  }

  async status(): Promise<(typeof STATUSES)[number]> {
    try {
      const { status } = await this.link.call(Daemon.State, { id: this.id }, { timeoutMs: 10_000 });
      return STATUSES.find((known) => known === status) ?? "stopped";
    } catch (error) {
      if (error instanceof KataError && error.code === "Unavailable") return "stopped";
      throw error;
    }
  }

  wait(): Promise<number> {
    return this.#exit;
  }

  async kill(signal: string | number): Promise<void> {
    await sendSignal(this.link, this.id, "", signal);
  }

  async stop({ timeoutMs = STOP_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (!(await this.#signalled(SIG.SIGTERM))) return;
    try {
      await deadline(this.#exit, timeoutMs, () => new KataError("DeadlineExceeded", "still there"));
    } catch {
      if (await this.#signalled(SIG.SIGKILL)) await this.#exit;
    }
  }

  async delete(): Promise<void> {
    await this.link.call(Daemon.Delete, { id: this.id, force: true }, { timeoutMs: 120_000 });
    this.release();
  }

  /** Closes this side's ends of its streams. */
  release(): void {
    this.#streams[Symbol.dispose]();
  }

  /** @returns false when there is nobody left to signal */
  async #signalled(signal: number): Promise<boolean> {
    try {
      await this.kill(signal);
      return true;
    } catch (error) {
      const over = error instanceof KataError && ["FailedPrecondition", "Unavailable"].includes(error.code);
      if (over) return false;
      throw error;
    }
  }

  async #askExit(): Promise<number> {
    try {
      return (await this.link.call(Daemon.Wait, { id: this.id, execId: "" })).exitStatus;
    } catch (error) {
      const exit = this.#recordedExit();
      if (exit === undefined) throw error;
      return exit;
    }
  }

  /** What a record on disk says when its daemon is gone. */
  #recordedExit(): number | undefined {
    try {
      const { containers } = this.link.store.load(this.link.id);
      const own = containers.find(({ id }) => id === this.id);
      return own?.status === "stopped" ? own.exitStatus : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Has the daemon make a container of the bundle. */
export async function makeContainer(
  link: SandboxLink,
  id: string,
  bundle: Bundle,
  streams: Streams,
): Promise<void> {
  using trees = openTrees(bundle);
  const fds: number[] = [];
  const request = {
    id,
    bundle: bundle.path,
    configJson: bundle.configJson,
    rootfsFd: fds.push(trees.rootfs.number),
    mounts: trees.volumes.map(({ volume, tree }) => ({
      mountIndex: volume.index,
      treeFd: fds.push(tree.number),
      directory: volume.directory,
    })),
    stdio: stdioMessage(streams, fds),
    attach: false,
  };
  await link.call(Daemon.Create, request, { fds, timeoutMs: createTimeoutMs(link.config) });
  streams.handedOver();
}

async function startProcess(
  link: SandboxLink,
  id: string,
  process: OciProcess,
  streams: Streams,
): Promise<Process> {
  const execId = hex(ops.random(8));
  const fds: number[] = [];
  const request = {
    id,
    execId,
    processJson: ops.utf8Encode(JSON.stringify(process)),
    stdio: stdioMessage(streams, fds),
    attach: true,
  };
  // Whoever attaches stands for the process: it ends with this program's connection.
  const exit = link.call(Daemon.Attach, { id, execId }).then(({ exitStatus }) => exitStatus);
  exit.catch(() => {});
  try {
    await link.call(Daemon.Exec, request, { fds, timeoutMs: link.requestMs });
  } catch (error) {
    streams[Symbol.dispose]();
    throw error;
  }
  streams.handedOver();
  return {
    get stdin() {
      return streams.stdin;
    },
    get stdout() {
      return streams.stdout;
    },
    get stderr() {
      return streams.stderr;
    },
    wait: () => exit,
    kill: (signal) => sendSignal(link, id, execId, signal),
  };
}

async function sendSignal(link: SandboxLink, id: string, execId: string, name: string | number) {
  const signal = signalNumber(String(name));
  if (signal === undefined) throw new KataError("InvalidArgument", `unknown signal ${JSON.stringify(name)}`);
  await link.call(Daemon.Kill, { id, execId, signal, all: false }, { timeoutMs: link.requestMs });
}

/** The Stdio message: descriptors by their place among those that go along. */
function stdioMessage({ daemonFds }: Streams, fds: number[]) {
  const [stdinFd, stdoutFd, stderrFd] = daemonFds.map((fd) => (fd === undefined ? 0 : fds.push(fd)));
  return { terminal: false, stdinFd: stdinFd ?? 0, stdoutFd: stdoutFd ?? 0, stderrFd: stderrFd ?? 0 };
}
