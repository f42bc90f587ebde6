import { parseResources } from "@kata-containers/oci";
import type {
  TaskCloseIORequest,
  TaskConnectRequest,
  TaskConnectResponse,
  TaskKillRequest,
  TaskPauseRequest,
  TaskPidsRequest,
  TaskPidsResponse,
  TaskResizePtyRequest,
  TaskResumeRequest,
  TaskStateRequest,
  TaskStateResponse,
  TaskStatsRequest,
  TaskStatsResponse,
  TaskWaitRequest,
  TaskWaitResponse,
  UpdateTaskRequest,
} from "@kata-containers/protocols";
import { KataError, ops, SIG, VERSION } from "@kata-containers/sys";
import {
  containerStats,
  hostHierarchies,
  pauseContainer,
  resumeContainer,
  updateContainer,
} from "@kata-containers/virtcontainers";
import { metricsOf } from "./metrics.ts";
import { jsonOf, noCheckpoint } from "./task-messages.ts";
import type { TaskReporter } from "./task-reporter.ts";
import type { TaskSandbox } from "./task-sandbox.ts";
import type { Tasks } from "./tasks.ts";
import { timestampOf } from "./timestamp.ts";

type Nothing = Record<string, never>;

/** The half of containerd's Task service that looks at tasks that are there, and changes what they do. */
export class TaskControl {
  readonly #tasks: Tasks;
  readonly #sandbox: TaskSandbox;
  readonly #reporter: TaskReporter;

  constructor(tasks: Tasks, sandbox: TaskSandbox, reporter: TaskReporter) {
    this.#tasks = tasks;
    this.#sandbox = sandbox;
    this.#reporter = reporter;
  }

  async state({ id, execId }: TaskStateRequest): Promise<TaskStateResponse> {
    const task = this.#tasks.get(id);
    const process = task.process(execId);
    const { exit, places } = process;
    return {
      id,
      execId,
      bundle: task.bundle,
      pid: ops.getpid(),
      status: this.#tasks.statusOf(task, process),
      ...places,
      exitStatus: exit?.status ?? 0,
      exitedAt: exit === undefined ? undefined : timestampOf(exit.atMs),
    };
  }

  async kill({ id, execId, signal, all }: TaskKillRequest): Promise<Nothing> {
    const task = this.#tasks.get(id);
    const process = task.process(execId);
    if (process.exit !== undefined) {
      // Whoever ends it need not know that it has ended.
      if (signal === SIG.SIGKILL || signal === SIG.SIGTERM) return {};
      throw new KataError("NotFound", "process already finished");
    }
    if (execId !== "" && process.guest === undefined)
      throw new KataError("FailedPrecondition", `process "${execId}" of container "${id}" was not started`);
    await this.#sandbox.sandbox.signal(id, execId || id, signal, all);
    return {};
  }

  async pids({ id }: TaskPidsRequest): Promise<TaskPidsResponse> {
    this.#tasks.get(id);
    return { processes: [{ pid: ops.getpid(), info: undefined }] };
  }

  async pause({ id }: TaskPauseRequest): Promise<Nothing> {
    const task = this.#tasks.get(id);
    task.pausing = true;
    try {
      await pauseContainer(this.#sandbox.sandbox, id);
    } finally {
      task.pausing = false;
    }
    this.#reporter.paused(id);
    return {};
  }

  async resume({ id }: TaskResumeRequest): Promise<Nothing> {
    this.#tasks.get(id);
    await resumeContainer(this.#sandbox.sandbox, id);
    this.#reporter.resumed(id);
    return {};
  }

  async checkpoint(): Promise<never> {
    throw noCheckpoint();
  }

  async resizePty({ id, execId, width, height }: TaskResizePtyRequest): Promise<Nothing> {
    const process = this.#tasks.get(id).process(execId);
    if (!process.places.terminal)
      throw new KataError(
        "FailedPrecondition",
        `process "${execId || id}" of container "${id}" has no terminal`,
      );
    process.size = { row: height, column: width };
    if (process.guest !== undefined && process.exit === undefined)
      await this.#sandbox.resize(id, execId, process.size);
    return {};
  }

  async closeIO({ id, execId, stdin }: TaskCloseIORequest): Promise<Nothing> {
    const process = this.#tasks.get(id).process(execId);
    if (stdin) process.closeStdin();
    return {};
  }

  async update({ id, resources }: UpdateTaskRequest): Promise<Nothing> {
    this.#tasks.get(id);
    const limits = parseResources(jsonOf(resources, "LinuxResources"), "resources");
    await updateContainer(this.#sandbox.sandbox, id, limits);
    return {};
  }

  async wait({ id, execId }: TaskWaitRequest): Promise<TaskWaitResponse> {
    const exit = await this.#tasks.get(id).process(execId).exited;
    return { exitStatus: exit.status, exitedAt: timestampOf(exit.atMs) };
  }

  async stats({ id }: TaskStatsRequest): Promise<TaskStatsResponse> {
    this.#tasks.get(id);
    const stats = await containerStats(this.#sandbox.sandbox, id);
    const version = hostHierarchies().every((each) => each.version === 2) ? 2 : 1;
    return { stats: metricsOf(stats, version) };
  }

  async connect({ id }: TaskConnectRequest): Promise<TaskConnectResponse> {
    const taskPid = this.#tasks.has(id) ? ops.getpid() : 0;
    return { shimPid: ops.getpid(), taskPid, version: VERSION };
  }
}
