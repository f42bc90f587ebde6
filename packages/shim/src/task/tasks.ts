import { TaskStatus } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { Task, TaskProcess } from "./task-process.ts";
import type { TaskSandbox } from "./task-sandbox.ts";

/** The tasks of a shim, those that are being made among them. */
export class Tasks {
  readonly #tasks = new Map<string, Task>();
  readonly #sandbox: TaskSandbox;

  constructor(sandbox: TaskSandbox) {
    this.#sandbox = sandbox;
  }

  /** @throws KataError NotFound, also for one that is being made: nobody but who makes it knows of it */
  get(id: string): Task {
    const task = this.#tasks.get(id);
    if (task === undefined || !task.made) throw new KataError("NotFound", `task "${id}" does not exist`);
    return task;
  }

  has(id: string): boolean {
    return this.#tasks.get(id)?.made ?? false;
  }

  /** One that is being made. */
  making(id: string): Task | undefined {
    const task = this.#tasks.get(id);
    return task?.made ? undefined : task;
  }

  get someAreBeingMade(): boolean {
    return [...this.#tasks.values()].some((task) => !task.made);
  }

  /** @throws KataError AlreadyExists */
  add(task: Task): void {
    if (this.#tasks.has(task.id)) throw new KataError("AlreadyExists", `task "${task.id}" already exists`);
    this.#tasks.set(task.id, task);
  }

  delete(id: string): void {
    this.#tasks.delete(id);
  }

  /** @returns one of TaskStatus */
  statusOf(task: Task, process: TaskProcess): number {
    if (process.exit !== undefined) return TaskStatus.STOPPED;
    if (!process.started) return TaskStatus.CREATED;
    if (process !== task.init) return TaskStatus.RUNNING;
    if (task.pausing) return TaskStatus.PAUSING;
    const container = this.#sandbox.running?.containers().find((each) => each.id === task.id);
    return container?.status === "paused" ? TaskStatus.PAUSED : TaskStatus.RUNNING;
  }
}
