import type {
  BlkioStats,
  BlkioStatsEntry,
  CpuStats,
  HugetlbStats,
  Init,
  MemoryStats,
  PidsStats,
} from "@kata-containers/protocols";
import { flatKeyed, readFile } from "./cgroup.ts";
import { figure, hugepageSizes, UNLIMITED } from "./figures.ts";

// Linux's admin-guide/cgroup-v2.rst. What v2 has not (a history of each processor) is absent.

const MICROSECOND_NS = 1000n;

export function cpuStats(directory: string): Init<CpuStats> {
  const stat = flatKeyed(readFile(`${directory}/cpu.stat`));
  const of = (name: string) => stat.get(name) ?? 0n;
  return {
    cpuUsage: {
      totalUsage: of("usage_usec") * MICROSECOND_NS,
      usageInKernelmode: of("system_usec") * MICROSECOND_NS,
      usageInUsermode: of("user_usec") * MICROSECOND_NS,
    },
    throttlingData: {
      periods: Number(of("nr_periods")),
      throttledPeriods: Number(of("nr_throttled")),
      throttledTime: of("throttled_usec") * MICROSECOND_NS,
    },
  };
}

/** Swap is counted together with memory, as in v1: whoever reads these figures expects that (as runc). */
export function memoryStats(directory: string): Init<MemoryStats> {
  const stats = flatKeyed(readFile(`${directory}/memory.stat`));
  const family = (name: string) => ({
    usage: figure(`${directory}/${name}.current`),
    maxUsage: figure(`${directory}/${name}.peak`),
    failcnt: flatKeyed(readFile(`${directory}/${name}.events`)).get("max") ?? 0n,
    limit: figure(`${directory}/${name}.max`, UNLIMITED),
  });
  const usage = family("memory");
  const swap = family("memory.swap");
  const unlimited = usage.limit === UNLIMITED || swap.limit === UNLIMITED;
  return {
    cache: Number(stats.get("file") ?? 0n),
    usage,
    swapUsage: {
      usage: swap.usage + usage.usage,
      failcnt: swap.failcnt,
      limit: unlimited ? UNLIMITED : swap.limit + usage.limit,
    },
    useHierarchy: true,
    stats,
  };
}

/** The same files in v1. A limit of 0 is none. */
export function pidsStats(directory: string): Init<PidsStats> {
  return { current: Number(figure(`${directory}/pids.current`)), limit: figure(`${directory}/pids.max`) };
}

const BYTES = { rbytes: "Read", wbytes: "Write", dbytes: "Discard" };
const REQUESTS = { rios: "Read", wios: "Write", dios: "Discard" };

export function blkioStats(directory: string): Init<BlkioStats> {
  const text = readFile(`${directory}/io.stat`);
  return { ioServiceBytesRecursive: entries(text, BYTES), ioServicedRecursive: entries(text, REQUESTS) };
}

/** Lines of "8:0 rbytes=4096 wbytes=0 …". */
function entries(text: string, names: Readonly<Record<string, string>>): Init<BlkioStatsEntry>[] {
  return text.split("\n").flatMap((line) => {
    const [device = "", ...figures] = line.split(" ");
    const [, major, minor] = /^(\d+):(\d+)$/.exec(device) ?? [];
    if (major === undefined) return [];
    return figures.flatMap((one) => {
      const [name = "", value = ""] = one.split("=");
      const op = names[name];
      if (op === undefined || !/^\d+$/.test(value)) return [];
      return [{ major: Number(major), minor: Number(minor), op, value: BigInt(value) }];
    });
  });
}

export function hugetlbStats(directory: string): Map<string, Init<HugetlbStats>> {
  const of = (size: string) => ({
    usage: Number(figure(`${directory}/hugetlb.${size}.current`)),
    failcnt: Number(flatKeyed(readFile(`${directory}/hugetlb.${size}.events`)).get("max") ?? 0n),
  });
  return new Map(hugepageSizes(directory, "current").map((size) => [size, of(size)] as const));
}
