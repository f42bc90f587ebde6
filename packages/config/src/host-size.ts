import { ops, readText } from "@kata-containers/sys";

/** The most that a virtual machine could have. */
export interface HostSize {
  /** CPUs that this process may use. */
  readonly cpus: number;
  readonly memoryMiB: number;
}

export function readHostSize(): HostSize {
  // proc(5): in KiB.
  const total = /^MemTotal:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"))?.[1];
  return { cpus: ops.cpuCount(), memoryMiB: Math.floor(Number(total ?? 0) / 1024) };
}
