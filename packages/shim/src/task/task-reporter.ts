import type { ContainerdMount } from "@kata-containers/protocols";
import type { ProcessExit } from "@kata-containers/virtcontainers";
import type { EventPublisher } from "./publisher.ts";
import type { StdioPlaces } from "./task-stdio.ts";
import { timestampOf } from "./timestamp.ts";

/** Tells containerd what becomes of the sandbox's tasks. */
export class TaskReporter {
  readonly #publisher: Pick<EventPublisher, "publish">;
  readonly #pid: number;

  /** @param pid of what stands for every process of the sandbox on the host: the shim */
  constructor(publisher: Pick<EventPublisher, "publish">, pid: number) {
    this.#publisher = publisher;
    this.#pid = pid;
  }

  created(containerId: string, bundle: string, rootfs: readonly ContainerdMount[], io: StdioPlaces): void {
    const pid = this.#pid;
    this.#publisher.publish("/tasks/create", {
      containerId,
      bundle,
      rootfs: [...rootfs],
      io: { ...io },
      pid,
    });
  }

  /** @param execId "": the container's first process */
  started(containerId: string, execId: string): void {
    const pid = this.#pid;
    if (execId === "") this.#publisher.publish("/tasks/start", { containerId, pid });
    else this.#publisher.publish("/tasks/exec-started", { containerId, execId, pid });
  }

  execAdded(containerId: string, execId: string): void {
    this.#publisher.publish("/tasks/exec-added", { containerId, execId });
  }

  exited(containerId: string, execId: string, exit: ProcessExit): void {
    this.#publisher.publish("/tasks/exit", { containerId, id: execId || containerId, ...this.#end(exit) });
  }

  deleted(containerId: string, exit: ProcessExit): void {
    this.#publisher.publish("/tasks/delete", { containerId, ...this.#end(exit) });
  }

  outOfMemory(containerId: string): void {
    this.#publisher.publish("/tasks/oom", { containerId });
  }

  paused(containerId: string): void {
    this.#publisher.publish("/tasks/paused", { containerId });
  }

  resumed(containerId: string): void {
    this.#publisher.publish("/tasks/resumed", { containerId });
  }

  #end({ status, atMs }: ProcessExit) {
    return { pid: this.#pid, exitStatus: status, exitedAt: timestampOf(atMs) };
  }
}
