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

/**
 * Times two commands in turn (A B A B …), so that the machine's drift falls on both. Each sample is the mean of `batch`
 * runs in a shell's loop: starting a process from Node costs more than a short command takes.
 * @param {string} a @param {string} b shell commands
 * @returns {{a: number[], b: number[], ratios: number[]}} ms a run, and A/B pair by pair
 */
export const compare = (a, b, { pairs = 11, batch = 20 } = {}) => {
  /** @param {string} command */
  const sample = (command) =>
    wallMs("/bin/sh", [
      "-c",
      `i=0; while [ $i -lt ${batch} ]; do ${command} > /dev/null || exit 1; i=$((i+1)); done`,
    ]) / batch;
  sample(a);
  sample(b);
  const result = {
    a: /** @type {number[]} */ ([]),
    b: /** @type {number[]} */ ([]),
    ratios: /** @type {number[]} */ ([]),
  };
  for (let i = 0; i < pairs; i++) {
    const [x, y] = [sample(a), sample(b)];
    result.a.push(x);
    result.b.push(y);
    result.ratios.push(x / y);
  }
  return result;
};

/** A number of /proc/<pid>/smaps_rollup or status, in KiB. @param {number} pid @param {"Pss" | "Rss" | "VmRSS" | "VmHWM"} key */
export const processKb = (pid, key) => {
  const file = key.startsWith("Vm") ? "status" : "smaps_rollup";
  const match = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"));
  if (!match) throw new Error(`/proc/${pid}/${file} has no ${key}`);
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
