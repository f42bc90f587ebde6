import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeBundle, newId } from "../containers.mjs";
import { compare, inBatches, must, peakRssKb, repeat } from "../measure.mjs";

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

export const runkRun = {
  name: "runk-run",
  promise: "runk run of true ≤ 1.0 × runc run",
  measure() {
    return withBundle(["true"], (bundle, state) => {
      const run = (/** @type {string} */ program) =>
        `${program} --root ${state}/${program.split("/").at(-1)} run --bundle ${bundle} ${newId()} < /dev/null`;
      return compare(inBatches(run(runk), 5), inBatches(run("runc"), 5), {
        ...{ limit: 1, pairs: 11 },
        ...{ name: "runc", unit: "ms", digits: 1 },
      });
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
