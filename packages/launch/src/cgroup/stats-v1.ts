import type {
  BlkioStats,
  BlkioStatsEntry,
  CpuStats,
  HugetlbStats,
  Init,
  MemoryData,
  MemoryStats,
  PidsStats,
} from "@kata-containers/protocols";
import { flatKeyed, readFile, readFiles } from "./cgroup.ts";
import { figure, hugepageSizes } from "./figures.ts";
import * as v2 from "./stats-v2.ts";

// Linux's admin-guide/cgroup-v1: cpuacct.rst, memory.rst, blkio-controller.rst, hugetlb.rst.

/** Nanoseconds of a tick of cpuacct.stat: USER_HZ is 100 on every architecture of ours. */
const TICK_NS = 10_000_000n;

/** @param throttled the group's directory of the controller cpu, mounted with cpuacct or apart; undefined: v1 has it not */
export function cpuStats(directory: string, throttled: string | undefined): Init<CpuStats> {
  const [stat, usage, usagePercpu] = readFiles(directory, [
    "cpuacct.stat",
    "cpuacct.usage",
    "cpuacct.usage_percpu",
  ]);
  const ticks = flatKeyed(stat);
  const throttling = flatKeyed(throttled === undefined ? "" : readFile(`${throttled}/cpu.stat`));
  const percpu = usagePercpu.trim().split(/\s+/).filter(Boolean);
  return {
    cpuUsage: {
      totalUsage: figure(usage),
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
  const [stat, hierarchy] = readFiles(directory, ["memory.stat", "memory.use_hierarchy"]);
  const stats = flatKeyed(stat);
  return {
    cache: Number(stats.get("cache") ?? 0n),
    usage: memoryData(directory, "memory"),
    swapUsage: memoryData(directory, "memory.memsw"),
    kernelUsage: memoryData(directory, "memory.kmem"),
    useHierarchy: figure(hierarchy) === 1n,
    stats,
  };
}

/** The four files of one kind of memory: "memory", "memory.memsw", "memory.kmem", "memory.kmem.tcp". */
export function memoryData(directory: string, kind: string): Required<Init<MemoryData>> {
  const [usage, maxUsage, failcnt, limit] = readFiles(directory, [
    `${kind}.usage_in_bytes`,
    `${kind}.max_usage_in_bytes`,
    `${kind}.failcnt`,
    `${kind}.limit_in_bytes`,
  ]);
  return {
    usage: figure(usage),
    maxUsage: figure(maxUsage),
    failcnt: figure(failcnt),
    limit: figure(limit),
  };
}

export function pidsStats(directory: string): Init<PidsStats> {
  return v2.pidsStats(v2.readGroup(directory, ["pids.current", "pids.max"]));
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
  const of = (size: string) => {
    const [usage, maxUsage, failcnt] = readFiles(directory, [
      `hugetlb.${size}.usage_in_bytes`,
      `hugetlb.${size}.max_usage_in_bytes`,
      `hugetlb.${size}.failcnt`,
    ]);
    return {
      usage: Number(figure(usage)),
      maxUsage: Number(figure(maxUsage)),
      failcnt: Number(figure(failcnt)),
    };
  };
  return new Map(hugepageSizes(directory, "usage_in_bytes").map((size) => [size, of(size)] as const));
}
