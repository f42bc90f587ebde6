import { kataRuntime, withIdle } from "../containers.mjs";
import { processKb } from "../measure.mjs";

/** @param {number} kb @param {number} limitMb */
const verdict = (kb, limitMb) => ({ figure: `${(kb / 1024).toFixed(2)} MB`, used: kb / 1024 / limitMb });

export const daemonMemory = {
  name: "daemon-memory",
  promise: "PSS of the daemon ≤ 10 MB",
  measure: () => withIdle(({ daemonPid }) => verdict(processKb(daemonPid, "Pss"), 10)),
};

export const shimMemory = {
  name: "shim-memory",
  promise: "PSS of kata-shim ≤ 3 MB",
  measure: () => withIdle(({ shimPid }) => verdict(processKb(shimPid, "Pss"), 3)),
};

export const agentMemory = {
  name: "agent-memory",
  promise: "RSS of the agent ≤ 8 MB",
  measure: () => withIdle(({ id }) => verdict(agentRssKb(id), 8)),
};

/** RSS of the agent in the guest, as it reports it itself. @param {string} id */
export function agentRssKb(id) {
  const match = /^kata_agent_process_resident_memory_bytes (\d+)$/m.exec(kataRuntime("metrics", id).stdout);
  if (!match) throw new Error(`metrics of ${id} have no kata_agent_process_resident_memory_bytes`);
  return Number(match[1]) / 1024;
}
