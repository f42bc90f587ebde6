import { gauge, procBytes, processMetrics, readProc, statFigures } from "@kata-containers/sys";

/** Clock ticks a second: USER_HZ of every architecture that we run on. */
export const TICKS = 100;

/** The agent's own families, as Kata's documentation names them (kata-2-0-metrics.md, "Kata agent metrics"). */
export function agentMetrics(): string {
  const status = readProc("/proc/self/status");
  const stat = statFigures(readProc("/proc/self/stat"));
  const [resident, virtual] = [procBytes(status, "VmRSS"), procBytes(status, "VmSize")];
  return [
    gauge("kata_agent_process_resident_memory_bytes", resident),
    gauge("kata_agent_process_virtual_memory_bytes", virtual),
    gauge("kata_agent_total_rss", resident),
    gauge("kata_agent_total_vm", virtual),
    gauge("kata_agent_total_time", ((stat.get("utime") ?? 0) + (stat.get("stime") ?? 0)) / TICKS),
    processMetrics("kata_agent", "self"),
  ].join("");
}
