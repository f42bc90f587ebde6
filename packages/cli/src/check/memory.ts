import type { KataConfig } from "@kata-containers/config";
import { readText } from "@kata-containers/sys";
import { type Finding, failure, ok, warning } from "./finding.ts";

/** What QEMU, virtiofsd and the daemon take besides the guest's memory, MiB. */
const OVERHEAD_MIB = 64;

/** Whether the host has the memory of one more sandbox. */
export function checkMemory({ hypervisor }: KataConfig): Finding[] {
  const host = readMeminfo(readText("/proc/meminfo"));
  const { default_memory: guest, enable_hugepages } = hypervisor;
  if (enable_hugepages && host.hugeFreeMiB < guest) {
    const advice = "raise vm.nr_hugepages, or set enable_hugepages = false";
    return [
      failure("memory", `${host.hugeFreeMiB} MiB of huge pages are free, a sandbox takes ${guest}`, advice),
    ];
  }
  const available = `${host.availableMiB} MiB available, a sandbox may take ${guest + OVERHEAD_MIB}`;
  if (enable_hugepages || host.availableMiB >= guest + OVERHEAD_MIB) return [ok("memory", available)];
  return [warning("memory", available, "lower default_memory, or end something")];
}

export interface Meminfo {
  readonly totalMiB: number;
  readonly freeMiB: number;
  readonly availableMiB: number;
  readonly hugeFreeMiB: number;
}

/** Reads /proc/meminfo (proc(5)), whose sizes are in KiB. */
export function readMeminfo(text: string): Meminfo {
  const value = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const mib = (name: string) => Math.floor(value(name) / 1024);
  return {
    totalMiB: mib("MemTotal"),
    freeMiB: mib("MemFree"),
    availableMiB: mib("MemAvailable"),
    hugeFreeMiB: Math.floor((value("HugePages_Free") * value("Hugepagesize")) / 1024),
  };
}
