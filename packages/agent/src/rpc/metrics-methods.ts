import { readText } from "@kata-containers/sys";

const KIB = 1024;

/** GetMetrics: the agent's and the guest's figures, in Prometheus's text format. */
export const metricsMethods = () => ({
  GetMetrics: () => ({ metrics: agentMetrics(readText("/proc/self/status"), readText("/proc/meminfo")) }),
});

/** @param status proc(5), /proc/pid/status @param meminfo proc(5), /proc/meminfo; both in kB, which are KiB */
export function agentMetrics(status: string, meminfo: string): string {
  return [
    gauge("kata_agent_process_resident_memory_bytes", kib(status, "VmRSS")),
    gauge("kata_agent_process_virtual_memory_bytes", kib(status, "VmSize")),
    gauge("kata_guest_meminfo_memtotal_bytes", kib(meminfo, "MemTotal")),
    gauge("kata_guest_meminfo_memfree_bytes", kib(meminfo, "MemFree")),
    gauge("kata_guest_meminfo_memavailable_bytes", kib(meminfo, "MemAvailable")),
  ].join("");
}

/** Bytes. */
function kib(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * KIB;
}

function gauge(name: string, value: number): string {
  return `# TYPE ${name} gauge\n${name} ${value}\n`;
}
