import { ops } from "@kata-containers/sys";
import type { TimingFormat } from "../commands/timing-options.ts";

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

  /** Prints the phases on standard error, in order of their beginnings. */
  print(format: TimingFormat): void {
    if (format === undefined) return;
    const phases = [...this.#phases, ...this.#daemonPhases].toSorted(
      (a, b) => a.startMs - b.startMs || a.endMs - b.endMs,
    );
    ops.writeSync(2, ops.utf8Encode(format === "json" ? phasesToJson(phases) : renderPhases(phases)));
  }
}

/** One line: an array of objects with name, startMs and endMs, to a microsecond. */
export function phasesToJson(phases: readonly TimedPhase[]): string {
  const exact = (ms: number) => Math.round(ms * 1000) / 1000;
  const rows = phases.map(({ name, startMs, endMs }) => ({
    name,
    startMs: exact(startMs),
    endMs: exact(endMs),
  }));
  return `${JSON.stringify(rows)}\n`;
}

/** Columns of the bars. */
const BAR = 50;

/** One line a phase: its times, and a bar from its beginning to its end, of the whole from the first's to the last's. */
export function renderPhases(rows: readonly TimedPhase[]): string {
  const width = Math.max("phase".length, ...rows.map(({ name }) => name.length));
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join("")}\n`;
  const whole = Math.max(...rows.map(({ endMs }) => endMs));
  const column = (ms: number) => (whole > 0 ? (ms / whole) * BAR : 0);
  const bar = ({ startMs, endMs }: TimedPhase) => {
    const from = Math.min(Math.floor(column(startMs)), BAR - 1);
    return " ".repeat(from) + "█".repeat(Math.max(1, Math.round(column(endMs)) - from));
  };
  const body = rows.map((phase) => {
    const { name, startMs, endMs } = phase;
    const times = line(name, startMs.toFixed(1), endMs.toFixed(1), (endMs - startMs).toFixed(1));
    return `${times.trimEnd()}  ${bar(phase)}\n`;
  });
  return line("phase", "start ms", "end ms", "ms") + body.join("");
}
