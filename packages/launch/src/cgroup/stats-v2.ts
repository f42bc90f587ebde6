import type {
  BlkioStats,
  BlkioStatsEntry,
  CpuStats,
  HugetlbStats,
  Init,
  MemoryStats,
  PidsStats,
} from "@kata-containers/protocols";
import { flatKeyed, readFiles } from "./cgroup.ts";
import { figure, hugepageSizes, UNLIMITED } from "./figures.ts";

// Linux's admin-guide/cgroup-v2.rst. What v2 has not (a history of each processor) is absent.

const MICROSECOND_NS = 1000n;

/** A control group whose files have been read. */
export interface ReadGroup {
  readonly directory: string;
  /** The text of one of them; "" when the kernel does not have it. */
  readonly text: (name: string) => string;
}

const FILES = [
  ...["cpu.stat", "memory.stat", "memory.current", "memory.peak", "memory.events", "memory.max"],
  ...["memory.swap.current", "memory.swap.events", "memory.swap.max", "pids.current", "pids.max", "io.stat"],
];

/** Reads files of a group, by default all that figures are in, in one call: in a guest of software emulation each costs. */
export function readGroup(directory: string, names = filesOf(directory)): ReadGroup {
  const texts = readFiles(directory, names);
  const byName = new Map(names.map((name, index) => [name, texts[index]]));
  return { directory, text: (name) => byName.get(name) ?? "" };
}

function filesOf(directory: string): readonly string[] {
  const hugetlb = hugepageSizes(directory, "current").map((size) => `hugetlb.${size}`);
  return [...FILES, ...hugetlb.flatMap((prefix) => [`${prefix}.current`, `${prefix}.events`])];
}

export function cpuStats({ text }: ReadGroup): Init<CpuStats> {
  const stat = flatKeyed(text("cpu.stat"));
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
export function memoryStats({ text }: ReadGroup): Init<MemoryStats> {
  const stats = flatKeyed(text("memory.stat"));
  const usage = figure(text("memory.current"));
  const limit = figure(text("memory.max"), UNLIMITED);
  const swapLimit = figure(text("memory.swap.max"), UNLIMITED);
  const unlimited = limit === UNLIMITED || swapLimit === UNLIMITED;
  return {
    cache: Number(stats.get("file") ?? 0n),
    usage: { usage, maxUsage: figure(text("memory.peak")), failcnt: overruns(text("memory.events")), limit },
    swapUsage: {
      usage: figure(text("memory.swap.current")) + usage,
      failcnt: overruns(text("memory.swap.events")),
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

/** v1's files are the same. A limit of 0 is none. */
export function pidsStats({ text }: ReadGroup): Init<PidsStats> {
  return { current: Number(figure(text("pids.current"))), limit: figure(text("pids.max")) };
}

const BYTES = { rbytes: "Read", wbytes: "Write", dbytes: "Discard" };
const REQUESTS = { rios: "Read", wios: "Write", dios: "Discard" };

export function blkioStats({ text }: ReadGroup): Init<BlkioStats> {
  const stat = text("io.stat");
  return { ioServiceBytesRecursive: entries(stat, BYTES), ioServicedRecursive: entries(stat, REQUESTS) };
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

export function hugetlbStats({ text, directory }: ReadGroup): Map<string, Init<HugetlbStats>> {
  const of = (size: string) => ({
    usage: Number(figure(text(`hugetlb.${size}.current`))),
    failcnt: Number(overruns(text(`hugetlb.${size}.events`))),
  });
  return new Map(hugepageSizes(directory, "current").map((size) => [size, of(size)] as const));
}
