import { parseProcess } from "@kata-containers/oci";
import {
  type CreateTaskRequest,
  type CreateTaskResponse,
  type TaskDeleteRequest,
  type TaskDeleteResponse,
  type TaskExecProcessRequest,
  type TaskShutdownRequest,
  type TaskStartRequest,
  type TaskStartResponse,
  TaskStatus,
} from "@kata-containers/protocols";
import { deadline, KataError, ops, sleep } from "@kata-containers/sys";
import type { OomEvents, ProcessExit } from "@kata-containers/virtcontainers";
import type { HostNamespaces } from "./host-namespaces.ts";
import { configPathOf, jsonOf, noCheckpoint, placesOf, withSize } from "./task-messages.ts";
import { Task, TaskProcess } from "./task-process.ts";
import type { TaskReporter } from "./task-reporter.ts";
import type { TaskSandbox } from "./task-sandbox.ts";
import { openTaskStdio, type TaskStdio } from "./task-stdio.ts";
import type { Tasks } from "./tasks.ts";
import { timestampOf } from "./timestamp.ts";

/** Status of a container that was deleted before it had begun to run. */
const STATUS_NEVER_RUN = 137;
/** How long a deletion waits for a process's output to be read, ms; the rest is lost. */
const OUTPUT_MS = 10_000;
/** How long the end of a container's own process waits to be told after those of the others, ms. */
const EXEC_EXITS_MS = 1_000;
/** Between two of a container's out-of-memory events, ms: all of containerd's subscribers get them, and a guest makes as many as it likes. */
const OOM_PACE_MS = 1_000;

export interface TaskServiceOrder {
  /** containerd's namespace. */
  readonly namespace: string;
  readonly host: HostNamespaces;
  readonly sandbox: TaskSandbox;
  readonly reporter: TaskReporter;
  /** Nobody needs this shim any more. */
  readonly leave: () => void;
}

type Nothing = Record<string, never>;

/**
 * containerd's Task service over one sandbox: each method as containerd's own shim for runc answers it, where a VM allows. Here is what makes
 * and ends tasks and their processes; its other half is TaskControl.
 */
export class TaskService {
  readonly #order: TaskServiceOrder;
  readonly #tasks: Tasks;
  /** Deleted by containerd before the others of its pod were: it goes with the last of them. */
  #deletedFirst = false;

  constructor(tasks: Tasks, order: TaskServiceOrder) {
    this.#tasks = tasks;
    this.#order = order;
  }

  async create(request: CreateTaskRequest): Promise<CreateTaskResponse> {
    const { id, bundle, rootfs } = request;
    if (request.checkpoint !== "") throw noCheckpoint();
    const places = placesOf(request);
    const task = new Task(id, bundle, places);
    this.#tasks.add(task);
    task.making = this.#make(task, request);
    try {
      await task.making;
    } catch (error) {
      this.#tasks.delete(id);
      throw error;
    }
    this.#order.reporter.created(id, bundle, rootfs, places);
    return { pid: ops.getpid() };
  }

  async #make(task: Task, { rootfs, options }: CreateTaskRequest): Promise<void> {
    const { id, bundle, init } = task;
    const { host, namespace, sandbox } = this.#order;
    let streams: TaskStdio | undefined;
    try {
      const container = await sandbox.createContainer({
        id,
        bundle,
        rootfs,
        configPath: configPathOf(options),
        terminal: init.places.terminal,
        abandoned: task.abandon.signal,
        openStdio: async () => {
          streams = await openTaskStdio(init.places, { id, namespace }, host);
          return streams.stdio;
        },
      });
      const guest = container.init;
      if (guest === undefined || streams === undefined)
        throw new KataError("Internal", `container "${id}" has no process`);
      init.attach(guest, streams);
    } catch (error) {
      streams?.release();
      throw error;
    }
    task.made = true;
    this.#watchExit(task, init);
    this.#watchOom(task, sandbox.sandbox.ooms);
  }

  async start({ id, execId }: TaskStartRequest): Promise<TaskStartResponse> {
    const task = this.#tasks.get(id);
    const process = task.process(execId);
    const starting = execId === "" ? this.#startContainer(task) : this.#startExec(task, process);
    // Of several the first: the others are refused.
    process.starting ??= starting;
    await starting;
    return { pid: ops.getpid() };
  }

  async #startContainer({ id, init }: Task): Promise<void> {
    const { sandbox, reporter } = this.#order;
    if (init.size !== undefined) await sandbox.resize(id, "", init.size);
    await sandbox.sandbox.startContainer(id);
    init.started = true;
    reporter.started(id, "");
    await sandbox.started(id);
  }

  async #startExec({ id }: Task, process: TaskProcess): Promise<void> {
    const { execId, places, spec } = process;
    const { host, namespace, sandbox, reporter } = this.#order;
    if (process.started || spec === undefined)
      throw new KataError(
        "FailedPrecondition",
        `process "${execId}" of container "${id}" was started already`,
      );
    process.started = true;
    try {
      const running = sandbox.sandbox;
      const streams = await openTaskStdio(places, { id: execId, namespace }, host);
      const sized = process.size === undefined ? spec : withSize(spec, process.size);
      const guest = await running.exec(id, execId, sized, streams.stdio).catch((error) => {
        streams.release();
        throw error;
      });
      guest.hostPid = ops.getpid();
      process.attach(guest, streams);
    } catch (error) {
      process.end({ status: STATUS_NEVER_RUN, atMs: ops.realtimeMs() });
      throw error;
    }
    reporter.started(id, execId);
  }

  async delete({ id, execId }: TaskDeleteRequest): Promise<TaskDeleteResponse> {
    await this.#noLongerMade(id);
    const task = this.#tasks.get(id);
    const process = task.process(execId);
    const exit = execId === "" ? await this.#deletedOnce(task) : await this.#deleteExec(task, process);
    return { pid: ops.getpid(), exitStatus: exit.status, exitedAt: timestampOf(exit.atMs) };
  }

  /** Whoever deletes a container that is still being made has given up its making. */
  async #noLongerMade(id: string): Promise<void> {
    const task = this.#tasks.making(id);
    if (task === undefined) return;
    task.abandon.abort();
    this.#order.sandbox.running?.abandonContainer(id);
    await task.making?.catch(() => {});
  }

  #deletedOnce(task: Task): Promise<ProcessExit> {
    task.deleting ??= this.#deleteContainer(task).catch((error) => {
      task.deleting = undefined;
      throw error;
    });
    return task.deleting;
  }

  async #deleteContainer(task: Task): Promise<ProcessExit> {
    const { id, init } = task;
    const { sandbox, reporter } = this.#order;
    const status = this.#tasks.statusOf(task, init);
    if (status !== TaskStatus.STOPPED && status !== TaskStatus.CREATED)
      throw new KataError("FailedPrecondition", `cannot delete a running task: ${id}`);
    const arrived = status === TaskStatus.STOPPED && (await outputArrives(init));
    const running = sandbox.running;
    // Without a VM's sandbox it has been undone before.
    if (running !== undefined) {
      const others = running.containers().some((each) => each.id !== running.id);
      if (id === running.id && others) this.#deleteFirst();
      else await sandbox.removeContainer(id, !arrived);
      const [last, ...more] = running.containers();
      if (this.#deletedFirst && last !== undefined && more.length === 0)
        await sandbox.removeContainer(last.id, true);
    }
    for (const process of [...task.execs.values(), init])
      process.end({ status: STATUS_NEVER_RUN, atMs: ops.realtimeMs() });
    const exit = await init.exited;
    this.#tasks.delete(id);
    reporter.deleted(id, exit);
    return exit;
  }

  #deleteFirst(): void {
    this.#deletedFirst = true;
    this.#order.sandbox.forgetOwn();
  }

  async #deleteExec(task: Task, process: TaskProcess) {
    const { execId } = process;
    if (process.started && process.exit === undefined)
      throw new KataError("FailedPrecondition", `cannot delete a running process: ${execId}`);
    await outputArrives(process);
    // Else its streams stay open for whoever may read them.
    process.guest?.release();
    this.#order.sandbox.running?.forgetProcess(task.id, execId);
    task.execs.delete(execId);
    process.end({ status: 0, atMs: ops.realtimeMs() });
    return await process.exited;
  }

  async exec(request: TaskExecProcessRequest): Promise<Nothing> {
    const { id, execId } = request;
    const task = this.#tasks.get(id);
    if (execId === "" || execId === id)
      throw new KataError("InvalidArgument", `exec id "${execId}" of container "${id}": is none`);
    if (task.execs.has(execId))
      throw new KataError("AlreadyExists", `process "${execId}" of container "${id}" already exists`);
    const spec = { ...parseProcess(jsonOf(request.spec, "Process"), "process"), terminal: request.terminal };
    const process = new TaskProcess(execId, placesOf(request), spec);
    task.execs.set(execId, process);
    this.#watchExit(task, process);
    this.#order.reporter.execAdded(id, execId);
    return {};
  }

  /** Without effect while there is a container, or one is being made. */
  async shutdown(_: TaskShutdownRequest): Promise<Nothing> {
    if (!this.#tasks.someAreBeingMade && this.#order.sandbox.isEmpty) this.#order.leave();
    return {};
  }

  /**
   * Tells containerd of its end: after its start, should that still be under way; and of a container's own process after those that were
   * executed in it, which the kernel ends with it: clients take it for the last.
   */
  async #watchExit({ id, init, execs }: Task, process: TaskProcess): Promise<void> {
    const exit = await process.exited;
    await process.starting?.catch(() => {});
    if (process === init) {
      const others = [...execs.values()].filter((each) => each.guest !== undefined);
      const told = Promise.all(others.map((each) => each.exited));
      await deadline<unknown>(told, EXEC_EXITS_MS, () => new Error("late")).catch(() => {});
    }
    // One that has never begun has no end either.
    if (process.guest !== undefined) this.#order.reporter.exited(id, process.execId, exit);
  }

  /** Tells containerd that the container ran out of memory, once in a while at most, until it ends. */
  async #watchOom({ id, init }: Task, ooms: OomEvents): Promise<void> {
    const ended = () => init.exit !== undefined;
    init.exited.then(() => ooms.wake());
    for (let seen = 0; ; await sleep(OOM_PACE_MS)) {
      const count = await ooms.next(id, seen, ended);
      if (count > seen) this.#order.reporter.outOfMemory(id);
      if (ended()) return;
      seen = count;
    }
  }
}

/** Whether all that a process has written has been read; it is given time to be. A logger that has it all may take its own time to end. */
async function outputArrives(process: TaskProcess): Promise<boolean> {
  if (process.guest === undefined) return true;
  try {
    await deadline(process.guest.ended, OUTPUT_MS, () => new Error("late"));
  } catch {
    return false;
  }
  await process.drained;
  return true;
}
