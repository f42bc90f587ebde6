const KIB = 1024;

/** The daemon's own figures, in Prometheus's text format. @param smaps proc(5), /proc/pid/smaps_rollup (kB, which are KiB) */
export function daemonMetrics(smaps: string): string {
  return [
    gauge("kata_shim_process_resident_memory_bytes", kib(smaps, "Rss")),
    gauge("kata_shim_process_proportional_memory_bytes", kib(smaps, "Pss")),
  ].join("");
}

/** Bytes. */
function kib(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * KIB;
}

function gauge(name: string, value: number): string {
  return `# TYPE ${name} gauge\n${name} ${value}\n`;
}
