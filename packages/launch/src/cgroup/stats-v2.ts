import type {
  BlkioStats,
  BlkioStatsEntry,
  CpuStats,
  HugetlbStats,
  Init,
  MemoryStats,
  PidsStats,
} from "@kata-containers/protocols";
import { flatKeyed, readFile, readFiles } from "./cgroup.ts";
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
  const [stat, current, peak, events, max, swapCurrent, swapEvents, swapMax] = readFiles(directory, [
    "memory.stat",
    "memory.current",
    "memory.peak",
    "memory.events",
    "memory.max",
    "memory.swap.current",
    "memory.swap.events",
    "memory.swap.max",
  ]);
  const stats = flatKeyed(stat);
  const usage = figure(current);
  const limit = figure(max, UNLIMITED);
  const swapLimit = figure(swapMax, UNLIMITED);
  const unlimited = limit === UNLIMITED || swapLimit === UNLIMITED;
  return {
    cache: Number(stats.get("file") ?? 0n),
    usage: { usage, maxUsage: figure(peak), failcnt: overruns(events), limit },
    swapUsage: {
      usage: figure(swapCurrent) + usage,
      failcnt: overruns(swapEvents),
      limit: unlimited ? UNLIMITED : swapLimit + limit,
    },
    useHierarchy: true,
    stats,
  };
}

/** How often a limit was reached, by a file "*.events". */
function overruns(events: string): bigint {
  return flatKeyed(events).get("max") ?? 0n;
}

/** The same files in v1. A limit of 0 is none. */
export function pidsStats(directory: string): Init<PidsStats> {
  const [current, max] = readFiles(directory, ["pids.current", "pids.max"]);
  return { current: Number(figure(current)), limit: figure(max) };
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
  const sizes = hugepageSizes(directory, "current");
  const texts: readonly string[] = readFiles(
    directory,
    sizes.flatMap((size) => [`hugetlb.${size}.current`, `hugetlb.${size}.events`]),
  );
  return new Map(
    sizes.map((size, index) => {
      const [current = "", events = ""] = texts.slice(2 * index);
      return [size, { usage: Number(figure(current)), failcnt: Number(overruns(events)) }] as const;
    }),
  );
}
