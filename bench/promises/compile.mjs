import { must, repeat } from "../measure.mjs";

export const compile = {
  name: "compile",
  promise: "docker's config.json to a plan ≤ 5 ms",
  measure: () => repeat(() => ({ ms: firstPlan() }), { samples: 15, digits: 2, share: ({ ms }) => ms / 5 }),
};

/** In a process of its own: a runtime compiles one container, cold. */
function firstPlan() {
  const { stdout } = must("build/test/compile-config", ["bench/docker-config.json"]);
  return JSON.parse(stdout).first.plan;
}
