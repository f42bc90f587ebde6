import { median, must, withSpread } from "../measure.mjs";

const SAMPLES = 15;

export const compile = {
  name: "compile",
  promise: "docker's config.json to a plan ≤ 5 ms",
  measure() {
    // One process a sample: a runtime compiles one container, cold.
    const samples = Array.from({ length: SAMPLES }, () => {
      const { stdout } = must("build/test/compile-config", ["bench/docker-config.json"]);
      return JSON.parse(stdout).first.plan;
    });
    return { figure: `${withSpread(samples)} ms`, used: median(samples) / 5 };
  },
};
