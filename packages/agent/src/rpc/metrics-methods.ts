import { gauge, procBytes, readText } from "@kata-containers/sys";

/** GetMetrics: the agent's and the guest's figures, in Prometheus's text format. */
export const metricsMethods = () => ({
  GetMetrics: () => ({ metrics: agentMetrics(readText("/proc/self/status"), readText("/proc/meminfo")) }),
});

/** @param status proc(5), /proc/pid/status @param meminfo proc(5), /proc/meminfo; both in kB, which are KiB */
export function agentMetrics(status: string, meminfo: string): string {
  return [
    gauge("kata_agent_process_resident_memory_bytes", procBytes(status, "VmRSS")),
    gauge("kata_agent_process_virtual_memory_bytes", procBytes(status, "VmSize")),
    gauge("kata_guest_meminfo_memtotal_bytes", procBytes(meminfo, "MemTotal")),
    gauge("kata_guest_meminfo_memfree_bytes", procBytes(meminfo, "MemFree")),
    gauge("kata_guest_meminfo_memavailable_bytes", procBytes(meminfo, "MemAvailable")),
  ].join("");
}
