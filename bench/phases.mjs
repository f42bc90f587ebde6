// Where a start's time goes, by `kata-runtime run --timing-format json`.
import { median, must } from "./measure.mjs";

/** @typedef {{whose: string, name: string, startMs: number, endMs: number}} Phase */

/** The steps of a start, in order, with the phases that they are made of. */
export const STEPS = /** @type {const} */ ([
  {
    name: "kata-runtime",
    phases: [],
    what: "the programs themselves: kata-runtime's start and end, its daemon",
  },
  {
    name: "host",
    phases: ["daemon: template", "daemon: host"],
    what: "the host's part: template, network, mounts",
  },
  {
    name: "QEMU",
    phases: ["daemon: qemu"],
    what: "QEMU and virtiofsd start; a copy's state is read, its share and cards plugged in",
  },
  {
    name: "kernel",
    phases: ["daemon: kernel", "daemon: agent"],
    what: "the guest boots, or goes on, until its agent answers",
  },
  {
    name: "sandbox",
    phases: ["daemon: sandbox"],
    what: "the agent mounts the share, sets network and clock",
  },
  {
    name: "container",
    phases: ["daemon: container"],
    what: "the container's first process is made, up to its start",
  },
  { name: "run", phases: ["cli: start", "cli: run"], what: "the process starts, runs and ends" },
  {
    name: "delete",
    phases: ["cli: delete"],
    what: "container and VM end, and what they had on the host is removed",
  },
]);

/** Milliseconds by step. @typedef {Map<string, number>} Steps */

/** @param {Steps[]} taken @returns {Steps} */
export const medianSteps = (taken) =>
  new Map(STEPS.map(({ name }) => [name, median(taken.map((steps) => steps.get(name) ?? 0))]));

/** What each step of a start took. @param {string[]} command kata-runtime run with --timing-format json @returns {Steps} */
export function sampleOfStart([program = "", ...args]) {
  const started = performance.now();
  const { stderr } = must(program, args);
  const wall = performance.now() - started;
  const phases = parsePhases(stderr);
  /** @type {Steps} */
  const steps = new Map();
  const add = (/** @type {string} */ name, /** @type {number} */ ms) =>
    steps.set(name, (steps.get(name) ?? 0) + ms);
  const bounds = [...new Set(phases.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort((a, b) => a - b);
  const [first = 0, last = 0] = [bounds[0], bounds.at(-1)];
  for (const [index, start] of bounds.slice(0, -1).entries()) {
    const end = bounds[index + 1] ?? start;
    add(stepAt(phases, start, end), end - start);
  }
  add(STEPS[0].name, wall - (last - first));
  return steps;
}

/**
 * What a runtime's run said with --timing-format json, in the last line: packages/cli/src/container/stopwatch.ts.
 * @param {string} text @returns {Phase[]}
 */
export function parsePhases(text) {
  /** @type {{name: string, startMs: number, endMs: number}[]} */
  const phases = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
  return phases.map((phase) => ({ ...phase, whose: phase.name.split(":")[0] ?? "" }));
}

/** What kata-runtime waits for is told by what the daemon does. @param {Phase[]} phases @param {number} start @param {number} end */
function stepAt(phases, start, end) {
  const then = phases.filter(({ startMs, endMs }) => startMs <= start && endMs >= end);
  const phase = then.find(({ whose }) => whose === "daemon") ?? then[0];
  const step = STEPS.find(({ phases }) => phases.some((name) => name === phase?.name));
  return (step ?? STEPS[0]).name;
}
