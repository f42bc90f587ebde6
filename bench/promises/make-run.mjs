import { must } from "../measure.mjs";

export const makeRun = {
  name: "make-run",
  promise: "a second make run ≤ 15 s",
  measure() {
    must("make", ["run"], { timeoutMs: 600_000 });
    const started = performance.now();
    must("make", ["run"], { timeoutMs: 600_000 });
    const seconds = (performance.now() - started) / 1000;
    return { figure: `${seconds.toFixed(1)} s`, used: seconds / 15 };
  },
};
