import { type Fd, ops } from "@kata-containers/sys";
import { openNamespace } from "../process/open-namespace.ts";

/**
 * The pid namespace that a sandbox's containers share when they ask to: that of its first container, whose init process (a pod's
 * "pause") reaps for all. When that one ends, the kernel kills whatever else is in it, and nobody can join any more
 * (pid_namespaces(7)).
 */
export class PidNamespace implements Disposable {
  #held: Fd | undefined;

  /** Where the namespace is to be joined; undefined: there is none yet, and a container gets one of its own. */
  get path(): string | undefined {
    return this.#held === undefined ? undefined : `/proc/${ops.getpid()}/fd/${this.#held.number}`;
  }

  /** Takes that of a process, unless there is one, or the process has ended already. */
  hold(pid: number): void {
    this.#held ??= openNamespace(pid, "pid");
  }

  [Symbol.dispose](): void {
    this.#held?.close();
  }
}
