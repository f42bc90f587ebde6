import { parseProcess, parseSpec } from "@kata-containers/oci";
import type {
  AttachRequest,
  CreateRequest,
  CreateResponse,
  DeleteRequest,
  ExecRequest,
  ExecResponse,
  KillRequest,
  Phase,
  ResizePtyRequest,
  StartRequest,
  StartResponse,
  StateRequest,
  StateResponse,
  Stdio,
  WaitRequest,
  WaitResponse,
} from "@kata-containers/protocols";
import { Fd, KataError, type Logger, ops, SIG } from "@kata-containers/sys";
import type {
  Container,
  GuestProcess,
  NewContainer,
  Phases,
  ProcessExit,
  ProcessStdio,
  Sandbox,
} from "@kata-containers/virtcontainers";
import { Attachments, type MeetingTimes } from "./attachments.ts";
import type { Warnings } from "./warnings.ts";

/** What a call brings besides its message. */
export type CallContext = {
  /** The caller's pid as this process sees it. */
  readonly peerPid: number;
  /** Descriptors that came along, now ours: whatever is not kept is closed after the call. */
  readonly fds: readonly Fd[];
  /** Aborted when the caller gave up or its connection ended. */
  readonly cancelled: Promise<void>;
};

/** What the sandbox has on the host, as far as the service goes. */
export interface HostPlace {
  /** Takes a process into the sandbox's cgroup. */
  admit(pid: number): void;
  /** The daemon leaves its cgroup, which waits for an RCU grace period: called while the VM ends, so that both waits are one. */
  leave(): void;
  /** Removes everything, after the last container and before the answer. */
  undo(): Promise<void>;
}

/** The Daemon service of proto/daemon.proto over one sandbox; its other half is ControlService. */
export class DaemonService {
  readonly #sandbox: Sandbox;
  readonly #phases: Phases;
  readonly #log: Logger;
  readonly #warnings: Warnings;
  readonly #attachments: Attachments;
  readonly #host: HostPlace;

  constructor(
    sandbox: Sandbox,
    phases: Phases,
    log: Logger,
    warnings: Warnings,
    times: MeetingTimes,
    host: HostPlace,
  ) {
    this.#sandbox = sandbox;
    this.#phases = phases;
    this.#log = log;
    this.#warnings = warnings;
    this.#attachments = new Attachments(times);
    this.#host = host;
  }

  async create(request: CreateRequest, { fds, cancelled }: CallContext): Promise<CreateResponse> {
    this.#warnings.begin();
    const spec = parseSpec(request.configJson, `${request.bundle}/config.json`);
    const container = await this.#created(cancelled, {
      id: request.id,
      bundle: request.bundle,
      spec,
      rootfs: take(fds, request.rootfsFd, "root file system"),
      volumes: request.mounts.map((each) => ({
        index: each.mountIndex,
        tree: take(fds, each.treeFd, `mount ${each.mountIndex}`),
        directory: each.directory,
      })),
      stdio: keepStdio(fds, request.stdio),
      standIn: (process) => (request.attach ? this.#attached(process, "") : Promise.resolve(0)),
    });
    const warnings = this.#warnings.take();
    return { pid: container.shimPid || ops.getpid(), phases: this.#phaseList(), warnings };
  }

  /**
   * A sandbox whose first container cannot be made has no reason to be. One more container is given up when whoever
   * creates it goes away meanwhile: nobody else is left to undo it.
   */
  async #created(cancelled: Promise<void>, request: NewContainer): Promise<Container> {
    const { id } = request;
    const sandbox = this.#sandbox;
    let callerGone = false;
    cancelled.then(() => {
      callerGone = true;
      if (id !== sandbox.id) sandbox.abandonContainer(id);
    });
    try {
      return await sandbox.createContainer(request);
    } catch (error) {
      // The caller waits for the end of its pipes, which nobody will write to.
      closeStdio(request.stdio);
      if (sandbox.containers().length === 0) await sandbox.stop();
      else if (callerGone) sandbox.giveUpId(id);
      throw error;
    }
  }

  async start(request: StartRequest): Promise<StartResponse> {
    await this.#sandbox.startContainer(request.id);
    return { pid: this.#pidOf(request.id), phases: this.#phaseList() };
  }

  async exec(request: ExecRequest, { fds }: CallContext): Promise<ExecResponse> {
    const { id, execId } = request;
    const description = parseProcess(request.processJson, "process");
    const stdio = keepStdio(fds, request.stdio);
    const process = await this.#sandbox.exec(id, execId, description, stdio, request).catch((error) => {
      // The caller waits for the end of its pipes, which nobody will write to.
      closeStdio(stdio);
      throw error;
    });
    const pid = request.attach ? await this.#attachedOrKilled(process, execId) : ops.getpid();
    process.hostPid = pid;
    return { pid };
  }

  /** A process that nobody came to stand for has nobody who would end it. */
  async #attachedOrKilled(process: GuestProcess, execId: string): Promise<number> {
    try {
      return await this.#attached(process, execId);
    } catch (error) {
      const id = process.ref.containerId;
      await this.#sandbox.signal(id, execId, SIG.SIGKILL, false).catch(() => {});
      process.ended.then(() => this.#sandbox.forgetProcess(id, execId));
      throw error;
    }
  }

  /** From now on the caller stands for the process on the host: when it goes, so does the process. */
  async attach(request: AttachRequest, context: CallContext): Promise<WaitResponse> {
    const { id, execId } = request;
    // While the guest boots, or makes it: a move waits for an RCU grace period. An exec's would wait for its own, and goes without.
    if (key(id, execId) === key(id, "")) this.#host.admit(context.peerPid);
    const process = await this.#attachments.attach(key(id, execId), context.peerPid, context.cancelled);
    const exit = await Promise.race([process.ended, context.cancelled.then(() => undefined)]);
    if (exit === undefined) {
      this.#log.warn("kata-shim is gone, its process is killed", { container: id, exec: execId });
      await this.#sandbox.signal(id, execId, SIG.SIGKILL, false).catch(() => {});
      return waitResponse(await process.ended);
    }
    this.#sandbox.forgetProcess(id, execId);
    return waitResponse(exit);
  }

  async wait(request: WaitRequest): Promise<WaitResponse> {
    return waitResponse(await this.#sandbox.wait(request.id, request.execId));
  }

  async kill(request: KillRequest): Promise<Record<string, never>> {
    await this.#sandbox.signal(request.id, request.execId, request.signal, request.all);
    return {};
  }

  async state(request: StateRequest): Promise<StateResponse> {
    const { status, pid, bundle, exitStatus, exitedAtMs } = this.#sandbox
      .container(request.id)
      .record(ops.getpid());
    return { status, pid, bundle, exitStatus, exitedAtMs: Math.round(exitedAtMs) };
  }

  async resizePty(request: ResizePtyRequest): Promise<Record<string, never>> {
    await this.#sandbox.resize(request.id, request.execId, request.row, request.column);
    return {};
  }

  async delete(request: DeleteRequest): Promise<Record<string, never>> {
    const removed = this.#sandbox.removeContainer(request.id, request.force);
    if (this.#sandbox.stopping) this.#host.leave();
    await removed;
    if (this.#sandbox.containers().length === 0) await this.#host.undo();
    return {};
  }

  async #attached(process: GuestProcess, execId: string): Promise<number> {
    return await this.#attachments.offer(key(process.ref.containerId, execId), process);
  }

  #pidOf(id: string): number {
    return this.#sandbox.container(id).shimPid || ops.getpid();
  }

  #phaseList(): Phase[] {
    const micros = (ms: number): number => Math.round(ms * 1000);
    return this.#phases
      .list()
      .map(({ name, startMs, endMs }) => ({ name, startUs: micros(startMs), endUs: micros(endMs) }));
  }
}

function key(id: string, execId: string): string {
  return `${id}\0${execId === id ? "" : execId}`;
}

function waitResponse(exit: ProcessExit): WaitResponse {
  return { exitStatus: exit.status, exitedAtMs: Math.round(exit.atMs) };
}

/** @param index counted from 1 */
function take(fds: readonly Fd[], index: number, what: string): Fd {
  const fd = fds[index - 1];
  if (fd === undefined) throw new KataError("InvalidArgument", `descriptor of the ${what} is missing`);
  return fd;
}

/** Stdio that outlives the call: taken out of the descriptors that are closed after it. */
function keepStdio(fds: readonly Fd[], stdio: Stdio | undefined): ProcessStdio {
  const find = (index: number | undefined, what: string): Fd | undefined =>
    index === undefined || index === 0 ? undefined : take(fds, index, what);
  const found = [
    find(stdio?.stdinFd, "standard input"),
    find(stdio?.stdoutFd, "standard output"),
    find(stdio?.stderrFd, "standard error"),
  ];
  const there = found.filter((fd) => fd !== undefined);
  if (new Set(there).size !== there.length)
    throw new KataError("InvalidArgument", "one descriptor is named for two standard streams");
  // All are there: from here on none is lost on the way.
  const [stdin, stdout, stderr] = found.map((fd) => (fd === undefined ? undefined : new Fd(fd.release())));
  return { terminal: stdio?.terminal ?? false, stdin, stdout, stderr };
}

function closeStdio({ stdin, stdout, stderr }: ProcessStdio): void {
  for (const fd of [stdin, stdout, stderr]) fd?.close();
}
