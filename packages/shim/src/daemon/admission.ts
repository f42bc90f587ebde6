import { KataError, type Logger } from "@kata-containers/sys";
import { joinCgroup } from "@kata-containers/virtcontainers";

/**
 * Who comes into the sandbox's cgroup later: each kata-shim, which was born in its caller's, whose end must not be its own. One that
 * cannot be moved stays there.
 */
export class Admission {
  /** Of the sandbox's first processes, see NewSandboxDeps; undefined: they were born in it. */
  readonly join: (() => void) | undefined;
  readonly #procs: readonly string[];
  readonly #log: Logger;
  /** Those who come before the first have joined: theirs is the wait for all processors, and nobody is made to wait for it. */
  #early: number[] | undefined;

  /** @param procs the `cgroup.procs` files of the sandbox's cgroup */
  constructor(procs: readonly string[], join: (() => void) | undefined, log: Logger) {
    this.#procs = procs;
    this.#log = log;
    if (join === undefined) return;
    this.#early = [];
    this.join = () => {
      join();
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const pid of early) this.admit(pid);
    };
  }

  admit(pid: number): void {
    if (this.#early !== undefined) {
      this.#early.push(pid);
      return;
    }
    try {
      joinCgroup(this.#procs, pid);
    } catch (error) {
      this.#log.debug("kata-shim stays in its caller's cgroup", {
        pid,
        reason: KataError.from(error).message,
      });
    }
  }
}
