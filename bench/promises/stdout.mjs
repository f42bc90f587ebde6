import { kata, memoryOf, withIdle } from "../containers.mjs";
import { must, repeat } from "../measure.mjs";

const mebibytes = 1024;

export const stdout = {
  name: "stdout",
  promise: "≥ 150 MB/s, memory flat (≤ 2 MB)",
  measure: () =>
    withIdle(({ id }) => {
      stream(id, 64);
      const first = memoryOf(id);
      const once = () => {
        const seconds = stream(id, mebibytes);
        // Since the beginning, not since the sample before: what stays of each would add up.
        const now = memoryOf(id);
        return {
          "MB/s": (mebibytes * 2 ** 20) / 1e6 / seconds,
          "MB daemon": (now.daemon - first.daemon) / 2 ** 20,
          "MB agent": (now.agent - first.agent) / 2 ** 20,
        };
      };
      return repeat(once, {
        samples: 6,
        digits: 1,
        share: (figures) =>
          Math.max(150 / figures["MB/s"], figures["MB daemon"] / 2, figures["MB agent"] / 2),
      });
    }),
};

/** Seconds in which count MiB of zeros come out of the container. @param {string} id @param {number} count */
function stream(id, count) {
  const started = performance.now();
  const exec = [...kata, "exec", id, "dd", "if=/dev/zero", "bs=1M", `count=${count}`].join(" ");
  const { stdout } = must("/bin/bash", ["-o", "pipefail", "-c", `${exec} 2> /dev/null < /dev/null | wc -c`]);
  if (Number(stdout) !== count * 2 ** 20)
    throw new Error(`${count} MiB were written, ${stdout.trim()} bytes came`);
  return (performance.now() - started) / 1000;
}
