// Timing and memory of whole processes.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Median of the numbers; NaN of none. @param {number[]} numbers */
export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
};

/** `1.23 (1.20–1.40)`: median and range. @param {number[]} numbers */
export const withSpread = (numbers, digits = 2) =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)})`;

/**
 * Runs a program to its end, and throws with its last words when it fails.
 * @param {string} command @param {string[]} args @param {{timeoutMs?: number, input?: string}} [options]
 */
export const must = (command, args, { timeoutMs = 60_000, input } = {}) => {
  const run = spawnSync(command, args, {
    encoding: "utf8",
    timeout: timeoutMs,
    maxBuffer: 64 << 20,
    input,
    killSignal: "SIGKILL",
  });
  if (run.error) throw run.error;
  if (run.status !== 0)
    throw new Error(
      `${command} ${args.join(" ")}: ${run.signal ?? `exit ${run.status}`}: ${run.stderr.trim().split("\n").at(-1)}`,
    );
  return run;
};

/** Wall time of one run, in ms. @param {string} command @param {string[]} args */
export const wallMs = (command, args) => {
  const started = performance.now();
  must(command, args);
  return performance.now() - started;
};

/** Wall time of one run of a shell command without input, in seconds. @param {string} command */
export const shellSeconds = (command) =>
  wallMs("/bin/sh", ["-c", `exec ${command} < /dev/null > /dev/null`]) / 1000;

/**
 * Where the median of what the numbers are drawn from is with 95 % certainty: two of them, by their order (the sign test's interval).
 * Of fewer than 6, the lowest and the highest.
 * @param {number[]} numbers @returns {[low: number, high: number]}
 */
export const medianRange = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const { length } = sorted;
  const skip = Math.max(0, Math.floor(length / 2 - 0.98 * Math.sqrt(length)));
  return [sorted[skip] ?? NaN, sorted[length - 1 - skip] ?? NaN];
};

/**
 * Takes so many samples, and goes on, up to three times as long, while the noise does not allow a verdict.
 * @param {number} samples @param {() => number} take one: its share of the limit
 * @returns {{used: number, range: [low: number, high: number]}} the median, and between which that is with 95 % certainty
 */
const untilVerdict = (samples, take) => {
  /** @type {number[]} */
  const used = [];
  /** @type {[number, number]} */
  let range = [0, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 3 && range[0] <= 1 && range[1] > 1; round++) {
    for (let sample = 0; sample < samples; sample++) used.push(take());
    range = medianRange(used);
  }
  return { used: median(used), range };
};

/**
 * Compares two measurements in turn (A B A B …), so that the machine's drift falls on both.
 * @param {() => number} ours seconds or milliseconds @param {() => number} theirs
 * @param {{limit: number, most?: number, pairs: number, name: string, unit: string, digits: number}} options
 *   limit: of ours/theirs; most: of ours by itself
 * @returns {import("./run.mjs").Verdict} figure: ratio and time of the first; baseline: name and time of the second
 */
export const compare = (ours, theirs, { limit, most, pairs, name, unit, digits }) => {
  ours();
  theirs();
  /** @type {number[]} */
  const a = [];
  /** @type {number[]} */
  const b = [];
  /** @type {number[]} */
  const ratios = [];
  const { used, range } = untilVerdict(pairs, () => {
    const [x, y] = [ours(), theirs()];
    a.push(x);
    b.push(y);
    ratios.push(x / y);
    return Math.max(x / y / limit, most === undefined ? 0 : x / most);
  });
  return {
    figure: `${median(ratios).toFixed(2)} ×, ${withSpread(a, digits)} ${unit}`,
    baseline: `${name} ${withSpread(b, digits)} ${unit}`,
    used,
    range,
  };
};

/**
 * Measures against fixed limits.
 * @template {Record<string, number>} T figures by what is written behind them: the unit, and of what it is
 * @param {() => T} measure one sample
 * @param {{samples: number, digits: number, share: (figures: T) => number}} options share: of the limit, of the worst figure
 * @returns {import("./run.mjs").Verdict}
 */
export const repeat = (measure, { samples, digits, share }) => {
  /** @type {T[]} */
  const taken = [];
  const { used, range } = untilVerdict(samples, () => {
    const figures = measure();
    taken.push(figures);
    return share(figures);
  });
  const figure = Object.keys(taken[0] ?? {})
    .map((name) => {
      const numbers = taken.map((figures) => figures[name] ?? Number.NaN);
      return `${withSpread(numbers, digits)} ${name}`;
    })
    .join(", ");
  return { figure, used, range };
};

/**
 * How much longer a client takes with kata than with runc, in turn, against a fixed limit.
 * @param {(runtime: "runc" | "kata") => number} secondsOf @param {number} limit seconds
 */
export const lessRunc = (secondsOf, limit) =>
  repeat(
    () => {
      const [kata, runc] = [secondsOf("kata"), secondsOf("runc")];
      return { "s more": kata - runc, "s kata": kata, "s runc": runc };
    },
    { samples: 9, digits: 2, share: (figures) => figures["s more"] / limit },
  );

/**
 * A sample of a short command: the mean of `batch` runs in a shell's loop, in ms, for starting a process from Node costs more than it
 * takes.
 * @param {string} command for the shell @param {number} batch
 * @param {string} [host] shell commands that make the host one for it, in a mount namespace of its own
 */
export const inBatches = (command, batch, host) => () => {
  const loop = `i=0; while [ $i -lt ${batch} ]; do ${command} > /dev/null || exit 1; i=$((i+1)); done`;
  const [program = "", ...words] = [...(host === undefined ? [] : ["unshare", "--mount"]), "/bin/sh", "-c"];
  return wallMs(program, [...words, `${host ?? ":"}; ${loop}`]) / batch;
};

/** PSS in KiB. @param {number} pid */
export const pssKb = (pid) => {
  const file = `/proc/${pid}/smaps_rollup`;
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(file, "utf8"));
  if (!match) throw new Error(`${file} has no Pss`);
  return Number(match[1]);
};

/**
 * Peak RSS in KiB of a shell command, as the kernel accounts it (GNU time): the largest of the process and the children
 * it waited for; what it leaves behind is not in it. Its stdio is /dev/null: what it leaves behind may keep it.
 * @param {string} command
 */
export const peakRssKb = (command) => {
  const folder = mkdtempSync(join(tmpdir(), "kata-bench-time-"));
  try {
    const out = join(folder, "peak");
    const line = `exec /usr/bin/time -o ${out} -f %M ${command} < /dev/null > /dev/null 2> /dev/null`;
    must("/bin/sh", ["-c", line]);
    return Number(readFileSync(out, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
