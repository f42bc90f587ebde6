import { gauge, procBytes } from "@kata-containers/sys";

/** The daemon's own figures, in Prometheus's text format. @param smaps proc(5), /proc/pid/smaps_rollup (kB, which are KiB) */
export function daemonMetrics(smaps: string): string {
  return [
    gauge("kata_shim_process_resident_memory_bytes", procBytes(smaps, "Rss")),
    gauge("kata_shim_process_proportional_memory_bytes", procBytes(smaps, "Pss")),
  ].join("");
}
