import { ops } from "@kata-containers/sys";

/** One phase of a command; times in milliseconds since the command began. */
export interface TimedPhase {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** A phase as the daemon tells it: microseconds since its own start. */
interface DaemonPhase {
  readonly name: string;
  readonly startUs: number;
  readonly endUs: number;
}

/** Measures a command's phases, for `--timing`. */
export class Stopwatch {
  readonly #begun = ops.monotonicMs();
  readonly #phases: TimedPhase[] = [];
  #last = this.#begun;
  #daemonBegun = this.#begun;
  #daemonPhases: readonly TimedPhase[] = [];

  /** Ends a phase that began where the last one ended. */
  lap(name: string): void {
    const now = ops.monotonicMs();
    this.#phases.push({ name, startMs: this.#last - this.#begun, endMs: now - this.#begun });
    this.#last = now;
  }

  /** The daemon starts now: its phases count from here. */
  daemonStarts(): void {
    this.#daemonBegun = ops.monotonicMs();
  }

  /** What the daemon has told, all of it each time. */
  tell(phases: readonly DaemonPhase[]): void {
    const offset = this.#daemonBegun - this.#begun;
    this.#daemonPhases = phases.map(({ name, startUs, endUs }) => ({
      name: `daemon: ${name}`,
      startMs: offset + startUs / 1000,
      endMs: offset + endUs / 1000,
    }));
  }

  /** In order of their beginnings, aligned, one line a phase. */
  render(): string {
    return renderPhases([...this.#phases, ...this.#daemonPhases]);
  }
}

export function renderPhases(phases: readonly TimedPhase[]): string {
  const rows = phases.toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  const width = Math.max("phase".length, ...rows.map(({ name }) => name.length));
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join("")}\n`;
  const body = rows.map(({ name, startMs, endMs }) =>
    line(name, startMs.toFixed(1), endMs.toFixed(1), (endMs - startMs).toFixed(1)),
  );
  return line("phase", "start ms", "end ms", "ms") + body.join("");
}
