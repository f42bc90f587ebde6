import {
  type Any,
  type BlkioStats,
  type BlkioStatsEntry,
  type CgroupV1BlkIOEntry,
  type CgroupV1BlkIOStat,
  type CgroupV1CPUStat,
  type CgroupV1MemoryEntry,
  type CgroupV1MemoryStat,
  CgroupV1Metrics,
  type CgroupV2CPUStat,
  type CgroupV2IOEntry,
  type CgroupV2MemoryStat,
  CgroupV2Metrics,
  type CpuStats,
  type HugetlbStats,
  type Init,
  type MemoryData,
  type MemoryStats,
  type NetworkStats,
  type StatsContainerResponse,
} from "@kata-containers/protocols";
import { anyOf } from "./any.ts";
import { memoryFigures, V1_MEMORY, V2_MEMORY } from "./memory-figures.ts";

/** 2^64 - 1: "no limit" of cgroup v2, and of pids in either version, in containerd's figures. */
const UNLIMITED = (1n << 64n) - 1n;
/** memory.limit_in_bytes of a cgroup v1 without one, with pages of 4 KiB. */
const UNLIMITED_V1 = 0x7fff_ffff_ffff_f000n;
/** Nobody means so much memory as a limit. */
const AS_GOOD_AS_UNLIMITED = 1n << 62n;

const MICROSECOND_NS = 1000n;

// Lists are the guest's word: no longer than any guest of ours has reason for.
const MAX_CPUS = 1024;
const MAX_BLOCK_ENTRIES = 1024;
const MAX_INTERFACES = 256;
const MAX_PAGE_SIZES = 16;

/** IFNAMSIZ is 16; netdevice names have no blank, "/" or ":" (Linux, dev_valid_name). */
const INTERFACE = /^[!-.0-9;-~]{1,15}$/;
const PAGE_SIZE = /^\d{1,4}[KMGT]B$/;
const OPERATION = /^[A-Za-z]{1,16}$/;

/**
 * A container's figures as containerd takes them from a shim: io.containerd.cgroups.v1.Metrics or v2's, whichever the host has;
 * the guest may have the other one. What the guest's version does not count is 0. Numbers are what the guest says, in the
 * range of their fields (their decoder has seen to that); lists are cut, and names of interfaces, operations and page sizes that
 * Linux could not have given are left out.
 */
export function metricsOf(stats: StatsContainerResponse, version: 1 | 2): Any {
  return version === 1 ? anyOf(CgroupV1Metrics, metricsV1(stats)) : anyOf(CgroupV2Metrics, metricsV2(stats));
}

function metricsV1({ cgroupStats, networkStats }: StatsContainerResponse): Init<CgroupV1Metrics> {
  const { cpuStats, memoryStats, pidsStats, blkioStats, hugetlbStats } = cgroupStats ?? {};
  return {
    hugetlb: hugetlb(hugetlbStats).map(([pagesize, { usage, maxUsage, failcnt }]) => ({
      pagesize,
      usage,
      max: maxUsage,
      failcnt,
    })),
    pids: pidsStats && { current: pidsStats.current, limit: pidsStats.limit || UNLIMITED },
    cpu: cpuStats && cpuV1(cpuStats),
    memory: memoryStats && memoryV1(memoryStats),
    blkio: blkioStats && blkioV1(blkioStats),
    network: interfaces(networkStats),
  };
}

function metricsV2({ cgroupStats, networkStats }: StatsContainerResponse): Init<CgroupV2Metrics> {
  const { cpuStats, memoryStats, pidsStats, blkioStats, hugetlbStats } = cgroupStats ?? {};
  return {
    pids: pidsStats && { current: pidsStats.current, limit: pidsStats.limit || UNLIMITED },
    cpu: cpuStats && cpuV2(cpuStats),
    memory: memoryStats && memoryV2(memoryStats),
    io: blkioStats && { usage: ioV2(blkioStats) },
    // v2's max is the limit, which the agent does not tell.
    hugetlb: hugetlb(hugetlbStats).map(([pagesize, { usage, failcnt }]) => ({
      pagesize,
      current: usage,
      failcnt,
    })),
    network: interfaces(networkStats),
  };
}

function hugetlb(bySize: ReadonlyMap<string, HugetlbStats> = new Map()): [string, HugetlbStats][] {
  return [...bySize].filter(([size]) => PAGE_SIZE.test(size)).slice(0, MAX_PAGE_SIZES);
}

/** The agent's messages have containerd's fields. */
function interfaces(stats: readonly NetworkStats[]): NetworkStats[] {
  return stats.filter(({ name }) => INTERFACE.test(name)).slice(0, MAX_INTERFACES);
}

function cpuV1({ cpuUsage, throttlingData }: CpuStats): Init<CgroupV1CPUStat> {
  return {
    usage: cpuUsage && {
      total: cpuUsage.totalUsage,
      kernel: cpuUsage.usageInKernelmode,
      user: cpuUsage.usageInUsermode,
      perCpu: cpuUsage.percpuUsage.slice(0, MAX_CPUS),
    },
    throttling: throttlingData,
  };
}

function cpuV2({ cpuUsage, throttlingData }: CpuStats): Init<CgroupV2CPUStat> {
  return {
    usageUsec: micros(cpuUsage?.totalUsage),
    userUsec: micros(cpuUsage?.usageInUsermode),
    systemUsec: micros(cpuUsage?.usageInKernelmode),
    nrPeriods: throttlingData?.periods,
    nrThrottled: throttlingData?.throttledPeriods,
    throttledUsec: micros(throttlingData?.throttledTime),
  };
}

function micros(ns = 0n): bigint {
  return ns / MICROSECOND_NS;
}

function memoryV1({ usage, swapUsage, kernelUsage, stats }: MemoryStats): Init<CgroupV1MemoryStat> {
  return {
    ...memoryFigures(stats, V1_MEMORY),
    hierarchicalMemoryLimit: limitV1(stats.get("hierarchical_memory_limit") ?? usage?.limit),
    hierarchicalSwapLimit: limitV1(stats.get("hierarchical_memsw_limit") ?? swapUsage?.limit),
    usage: usage && entryV1(usage),
    swap: swapUsage && entryV1(swapUsage),
    kernel: kernelUsage && entryV1(kernelUsage),
  };
}

function entryV1({ usage, maxUsage, failcnt, limit }: MemoryData): Init<CgroupV1MemoryEntry> {
  return { usage, max: maxUsage, failcnt, limit: limitV1(limit) };
}

function limitV1(limit = 0n): bigint {
  return limit >= AS_GOOD_AS_UNLIMITED ? UNLIMITED_V1 : limit;
}

/** The agent counts swap together with memory, as v1 does; v2 does not. */
function memoryV2({ usage, swapUsage, stats }: MemoryStats): Init<CgroupV2MemoryStat> {
  const limit = usage?.limit ?? 0n;
  const bothLimit = swapUsage?.limit ?? 0n;
  return {
    ...memoryFigures(stats, V2_MEMORY),
    usage: usage?.usage,
    usageLimit: limit >= AS_GOOD_AS_UNLIMITED ? UNLIMITED : limit,
    maxUsage: usage?.maxUsage,
    swapUsage: above(swapUsage?.usage, usage?.usage),
    swapLimit: bothLimit >= AS_GOOD_AS_UNLIMITED ? UNLIMITED : above(bothLimit, limit),
  };
}

/** What the one has more than the other. */
function above(one = 0n, other = 0n): bigint {
  return one > other ? one - other : 0n;
}

function blkioV1(stats: BlkioStats): Init<CgroupV1BlkIOStat> {
  return {
    ioServiceBytesRecursive: entriesV1(stats.ioServiceBytesRecursive),
    ioServicedRecursive: entriesV1(stats.ioServicedRecursive),
    ioQueuedRecursive: entriesV1(stats.ioQueuedRecursive),
    ioServiceTimeRecursive: entriesV1(stats.ioServiceTimeRecursive),
    ioWaitTimeRecursive: entriesV1(stats.ioWaitTimeRecursive),
    ioMergedRecursive: entriesV1(stats.ioMergedRecursive),
    ioTimeRecursive: entriesV1(stats.ioTimeRecursive),
    sectorsRecursive: entriesV1(stats.sectorsRecursive),
  };
}

/** Without the path of the device's node: it is the guest's device. */
function entriesV1(entries: readonly BlkioStatsEntry[]): Init<CgroupV1BlkIOEntry>[] {
  return blockEntries(entries).map(({ major, minor, op, value }) => ({ major, minor, op, value }));
}

function blockEntries(entries: readonly BlkioStatsEntry[]): BlkioStatsEntry[] {
  return entries.filter(({ op }) => OPERATION.test(op)).slice(0, MAX_BLOCK_ENTRIES);
}

type IoField = "rbytes" | "wbytes" | "rios" | "wios";
/** By operation, in lower case: upstream's agent has v2's names, and all in the list of bytes. */
const BYTES: ReadonlyMap<string, IoField> = new Map([
  ["read", "rbytes"],
  ["write", "wbytes"],
  ["rios", "rios"],
  ["wios", "wios"],
]);
const REQUESTS: ReadonlyMap<string, IoField> = new Map([
  ["read", "rios"],
  ["write", "wios"],
]);

/** v2 has a line for each device where v1 has one for each operation. */
function ioV2(stats: BlkioStats): CgroupV2IOEntry[] {
  const devices = new Map<string, CgroupV2IOEntry>();
  const add = (entries: readonly BlkioStatsEntry[], fields: ReadonlyMap<string, IoField>): void => {
    for (const { major, minor, op, value } of blockEntries(entries)) {
      const field = fields.get(op.toLowerCase());
      if (field === undefined) continue;
      const key = `${major}:${minor}`;
      const device = devices.get(key) ?? { major, minor, rbytes: 0n, wbytes: 0n, rios: 0n, wios: 0n };
      device[field] = value;
      devices.set(key, device);
    }
  };
  add(stats.ioServiceBytesRecursive, BYTES);
  add(stats.ioServicedRecursive, REQUESTS);
  return [...devices.values()];
}
