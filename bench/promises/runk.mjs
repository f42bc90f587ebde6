import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeBundle, newId } from "../containers.mjs";
import { compare, inBatches, must, peakRssKb } from "../measure.mjs";

const limitKb = 6 * 1024;
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
  measure() {
    return withBundle(["sleep", "600"], (bundle, state) => {
      const id = newId();
      const words = [runk, "--root", state];
      /** @param {string[]} args */
      const peak = (...args) => peakRssKb([...words, ...args].join(" "));
      try {
        const create = peak("create", "--bundle", bundle, id);
        must(runk, ["--root", state, "start", id]);
        const peaks = {
          create,
          run: peak("run", "--detach", "--bundle", bundle, `${id}-run`),
          exec: peak("exec", id, "true"),
          state: peak("state", id),
        };
        const figure = Object.entries(peaks).map(([name, kb]) => `${name} ${(kb / 1024).toFixed(1)}`);
        return { figure: `${figure.join(", ")} MB`, used: Math.max(...Object.values(peaks)) / limitKb };
      } finally {
        for (const each of [id, `${id}-run`]) must(runk, ["--root", state, "delete", "--force", each]);
      }
    });
  },
};
