import { ops } from "@kata-containers/sys";

/**
 * Stations of a sandbox's start, in order. "template": one was found, or made; "kernel": the guest's kernel and its agent, of a copy of a
 * template what is left of them to do. Those of `host`, `qemu`, `kernel` and `agent` follow one another.
 */
export type PhaseName = "template" | "host" | "qemu" | "kernel" | "agent" | "sandbox" | "container";
/** Milliseconds of CLOCK_MONOTONIC since `Phases` was made. */
export type Phase = { readonly name: PhaseName; readonly startMs: number; readonly endMs: number };

/** A stopwatch for `--timing`. Of a phase that a sandbox sees more than once, as it does its containers, it knows the last. */
export class Phases {
  readonly #origin = ops.monotonicMs();
  readonly #list: Phase[] = [];

  now(): number {
    return ops.monotonicMs() - this.#origin;
  }

  /** Notes that the phase ends now. @param startMs by default, the end of the one noted before */
  end(name: PhaseName, startMs: number = this.#list.at(-1)?.endMs ?? 0): void {
    const before = this.#list.findIndex((phase) => phase.name === name);
    const phase = { name, startMs, endMs: this.now() };
    if (before !== -1) this.#list.splice(before, 1);
    this.#list.push(phase);
  }

  async measure<T>(name: PhaseName, work: () => Promise<T>): Promise<T> {
    const start = this.now();
    try {
      return await work();
    } finally {
      this.end(name, start);
    }
  }

  list(): readonly Phase[] {
    return this.#list;
  }
}
