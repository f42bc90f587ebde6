import { importTypeScript } from "../../scripts/import-typescript.mjs";
import { kata, memoryOf, withIdle } from "../containers.mjs";
import { must, repeat } from "../measure.mjs";

const { NOISE, WARM } = await importTypeScript("tests/harness/memory.ts");
const EXECS = 100;

export const execGrowth = {
  name: "exec-growth",
  promise: "100 × exec, memory flat after 10",
  measure: () =>
    repeat(() => withIdle(({ id }) => growthOf(id)), {
      samples: 3,
      digits: 0,
      share: (growth) => (Math.max(...Object.values(growth)) * 1024) / NOISE,
    }),
};

/** From the tenth command to the last. @param {string} id */
function growthOf(id) {
  execs(id, WARM);
  const warm = memoryOf(id);
  execs(id, EXECS - WARM);
  const end = memoryOf(id);
  return { "KiB daemon": (end.daemon - warm.daemon) / 1024, "KiB agent": (end.agent - warm.agent) / 1024 };
}

/** @param {string} id @param {number} count */
function execs(id, count) {
  const once = [...kata, "exec", id, "true"].join(" ");
  const loop = `i=0; while [ $i -lt ${count} ]; do ${once} < /dev/null || exit 1; i=$((i+1)); done`;
  must("/bin/sh", ["-c", loop], { timeoutMs: 5_000 * count });
}
