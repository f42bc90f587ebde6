import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeBundle, newId } from "../containers.mjs";
import { compare, inBatches, median, must, peakRssKb, repeat, withSpread } from "../measure.mjs";
import { parsePhases } from "../phases.mjs";

const limitMb = 6;
const runk = resolve("build/bin/runk");

/**
 * A bundle that runs args, and a directory for state; both are removed in the end.
 * @template T
 * @param {string[]} args @param {(bundle: string, state: string) => T} use
 */
function withBundle(args, use) {
  const bundle = makeBundle(args);
  // As both programs' default: below /run.
  const state = mkdtempSync(join("/run", "runk-bench-"));
  try {
    return use(bundle, state);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
    rmSync(state, { recursive: true, force: true });
  }
}

const BATCH = 5;
const PAIRS = 11;

/** @param {string} program @param {string} bundle @param {string} state */
const run = (program, bundle, state) =>
  `${program} --root ${state}/${program.split("/").at(-1)} run --bundle ${bundle} ${newId()} < /dev/null`;

/** crun refuses cgroup v1 beside v2. */
const ON_CRUNS_HOST = "umount /sys/fs/cgroup/unified 2> /dev/null";

/** The ratio to crun, and its time. @param {string} bundle @param {string} state */
function besideCrun(bundle, state) {
  if (spawnSync("crun", ["--version"]).error) return "crun is not installed";
  const take = (/** @type {string} */ program) =>
    inBatches(run(program, bundle, state), BATCH, ON_CRUNS_HOST);
  const [ours, theirs] = [take(runk), take("crun")];
  const pairs = Array.from({ length: PAIRS }, () => ({ ours: ours(), theirs: theirs() }));
  const ratio = median(pairs.map((pair) => pair.ours / pair.theirs));
  return `crun ${withSpread(
    pairs.map((pair) => pair.theirs),
    1,
  )} ms (${ratio.toFixed(2)} ×)`;
}

/** Where the time goes: `runk run --timing`, and what of the whole is before and after that. @param {string} bundle @param {string} state */
function phases(bundle, state) {
  const whole = median(Array.from({ length: PAIRS }, inBatches(run(runk, bundle, state), BATCH)));
  /** @type {Map<string, number[]>} */
  const taken = new Map();
  for (let round = 0; round < PAIRS; round++) {
    const words = ["run", "--timing-format", "json", "--bundle", bundle, newId()];
    const { stderr } = must(runk, ["--root", `${state}/runk`, ...words]);
    for (const { name, startMs, endMs } of parsePhases(stderr))
      taken.set(name, [...(taken.get(name) ?? []), endMs - startMs]);
  }
  const parts = [...taken].map(([name, ms]) => ({ name, ms: median(ms) }));
  const rest = whole - parts.reduce((sum, { ms }) => sum + ms, 0);
  return [...parts, { name: "start and end of the program", ms: rest }]
    .map(({ name, ms }) => `${name} ${ms.toFixed(1)}`)
    .join(", ");
}

export const runkRun = {
  name: "runk-run",
  promise: "runk run of true ≤ 1.0 × runc run",
  measure() {
    return withBundle(["true"], (bundle, state) => {
      const take = (/** @type {string} */ program) => inBatches(run(program, bundle, state), BATCH);
      const verdict = compare(take(runk), take("runc"), {
        ...{ limit: 1, pairs: PAIRS },
        ...{ name: "runc", unit: "ms", digits: 1 },
      });
      return {
        ...verdict,
        baseline: `${verdict.baseline}, ${besideCrun(bundle, state)}`,
        details: `runk run, median ms: ${phases(bundle, state)}`,
      };
    });
  },
};

export const runkMemory = {
  name: "runk-memory",
  promise: "runk create, run, exec, state ≤ 6 MB",
  measure: () =>
    withBundle(["sleep", "600"], (bundle, state) =>
      repeat(() => peaks(bundle, state), {
        samples: 6,
        digits: 1,
        share: (figures) => Math.max(...Object.values(figures)) / limitMb,
      }),
    ),
};

/** Of each command about containers of its own. @param {string} bundle @param {string} state */
function peaks(bundle, state) {
  const id = newId();
  const words = [runk, "--root", state];
  /** @param {string[]} args */
  const peakMb = (...args) => peakRssKb([...words, ...args].join(" ")) / 1024;
  try {
    const create = peakMb("create", "--bundle", bundle, id);
    must(runk, ["--root", state, "start", id]);
    return {
      "MB create": create,
      "MB run": peakMb("run", "--detach", "--bundle", bundle, `${id}-run`),
      "MB exec": peakMb("exec", id, "true"),
      "MB state": peakMb("state", id),
    };
  } finally {
    for (const each of [id, `${id}-run`]) must(runk, ["--root", state, "delete", "--force", each]);
  }
}
