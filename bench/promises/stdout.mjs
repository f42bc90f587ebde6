import { kata, withIdle } from "../containers.mjs";
import { must, processKb } from "../measure.mjs";
import { agentRssKb } from "./memory.mjs";

const mebibytes = 1024;

export const stdout = {
  name: "stdout",
  promise: "≥ 150 MB/s, memory flat (≤ 2 MB)",
  measure: () =>
    withIdle(({ id, daemonPid }) => {
      stream(id, 64);
      const before = { daemon: processKb(daemonPid, "VmRSS"), agent: agentRssKb(id) };
      const seconds = stream(id, mebibytes);
      const daemon = (processKb(daemonPid, "VmRSS") - before.daemon) / 1024;
      const agent = (agentRssKb(id) - before.agent) / 1024;
      const rate = (mebibytes * 2 ** 20) / 1e6 / seconds;
      return {
        figure: `${rate.toFixed(0)} MB/s, daemon +${daemon.toFixed(1)}, agent +${agent.toFixed(1)} MB`,
        used: Math.max(150 / rate, daemon / 2, agent / 2),
      };
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
