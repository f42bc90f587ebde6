import type {
  BlkioStats,
  BlkioStatsEntry,
  CpuStats,
  HugetlbStats,
  Init,
  MemoryStats,
} from "@kata-containers/protocols";
import { flatKeyed, readFile } from "./cgroup.ts";
import { figure, hugepageSizes } from "./figures.ts";

// Linux's admin-guide/cgroup-v1: cpuacct.rst, memory.rst, blkio-controller.rst, hugetlb.rst.

/** Nanoseconds of a tick of cpuacct.stat: USER_HZ is 100 on every architecture of ours. */
const TICK_NS = 10_000_000n;

/** @param throttled the group's directory of the controller cpu, mounted with cpuacct or apart; undefined: v1 has it not */
export function cpuStats(directory: string, throttled: string | undefined): Init<CpuStats> {
  const ticks = flatKeyed(readFile(`${directory}/cpuacct.stat`));
  const throttling = flatKeyed(throttled === undefined ? "" : readFile(`${throttled}/cpu.stat`));
  const percpu = readFile(`${directory}/cpuacct.usage_percpu`).trim().split(/\s+/).filter(Boolean);
  return {
    cpuUsage: {
      totalUsage: figure(`${directory}/cpuacct.usage`),
      percpuUsage: percpu.map(BigInt),
      usageInKernelmode: (ticks.get("system") ?? 0n) * TICK_NS,
      usageInUsermode: (ticks.get("user") ?? 0n) * TICK_NS,
    },
    throttlingData: {
      periods: Number(throttling.get("nr_periods") ?? 0n),
      throttledPeriods: Number(throttling.get("nr_throttled") ?? 0n),
      throttledTime: throttling.get("throttled_time") ?? 0n,
    },
  };
}

export function memoryStats(directory: string): Init<MemoryStats> {
  const stats = flatKeyed(readFile(`${directory}/memory.stat`));
  const family = (name: string) => ({
    usage: figure(`${directory}/${name}.usage_in_bytes`),
    maxUsage: figure(`${directory}/${name}.max_usage_in_bytes`),
    failcnt: figure(`${directory}/${name}.failcnt`),
    limit: figure(`${directory}/${name}.limit_in_bytes`),
  });
  return {
    cache: Number(stats.get("cache") ?? 0n),
    usage: family("memory"),
    swapUsage: family("memory.memsw"),
    kernelUsage: family("memory.kmem"),
    useHierarchy: figure(`${directory}/memory.use_hierarchy`) === 1n,
    stats,
  };
}

export function blkioStats(directory: string): Init<BlkioStats> {
  return {
    ioServiceBytesRecursive: entries(readFile(`${directory}/blkio.throttle.io_service_bytes_recursive`)),
    ioServicedRecursive: entries(readFile(`${directory}/blkio.throttle.io_serviced_recursive`)),
  };
}

/** Lines of "8:0 Read 4096"; the sum at the end has no device. */
function entries(text: string): Init<BlkioStatsEntry>[] {
  return text.split("\n").flatMap((line) => {
    const [, major, minor, op, value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (op === undefined || value === undefined) return [];
    return [{ major: Number(major), minor: Number(minor), op, value: BigInt(value) }];
  });
}

export function hugetlbStats(directory: string): Map<string, Init<HugetlbStats>> {
  const of = (size: string) => ({
    usage: Number(figure(`${directory}/hugetlb.${size}.usage_in_bytes`)),
    maxUsage: Number(figure(`${directory}/hugetlb.${size}.max_usage_in_bytes`)),
    failcnt: Number(figure(`${directory}/hugetlb.${size}.failcnt`)),
  });
  return new Map(hugepageSizes(directory, "usage_in_bytes").map((size) => [size, of(size)] as const));
}
