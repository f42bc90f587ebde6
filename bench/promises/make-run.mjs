import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must, repeat } from "../measure.mjs";

/** Seconds that a target takes. @param {string[]} command */
function secondsOf([program = "", ...args]) {
  const started = performance.now();
  must(program, args, { timeoutMs: 1_200_000 });
  return (performance.now() - started) / 1000;
}

export const makeRun = {
  name: "make-run",
  promise: "a second make run ≤ 15 s",
  measure() {
    must("make", ["run"], { timeoutMs: 1_200_000 });
    return repeat(() => ({ s: secondsOf(["make", "run"]) }), {
      samples: 6,
      digits: 1,
      share: ({ s }) => s / 15,
    });
  },
};

export const makeRunFresh = {
  name: "make-run-fresh",
  promise: "make run on a fresh clone ≤ 6 min",
  measure() {
    const folder = mkdtempSync("/var/tmp/kata-bench-clone-");
    const clone = join(folder, "kata");
    // What cargo and npm keep of earlier downloads is not on a fresh machine.
    const empty = [`CARGO_HOME=${folder}/cargo`, `npm_config_cache=${folder}/npm`];
    try {
      must("git", ["clone", "--quiet", "--no-hardlinks", ".", clone]);
      const minutes = secondsOf(["env", "-C", clone, ...empty, "make", "run"]) / 60;
      return { figure: `${minutes.toFixed(1)} min`, used: minutes / 6 };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
