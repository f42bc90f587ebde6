import type {
  BlkioStats,
  BlkioStatsEntry,
  CgroupStats,
  CpuStats,
  Init,
  MemoryData,
  MemoryStats,
  NetworkStats,
} from "@kata-containers/protocols";
import type { JsonValue } from "../json-text.ts";

type Members = { readonly [name: string]: JsonValue | undefined };

/** A container's figures. */
export interface Figures {
  readonly cgroupStats?: Init<CgroupStats> | undefined;
  readonly networkStats: readonly NetworkStats[];
  /** Members of the event's `cpu.usage`, and of itself, that the agent's protocol does not carry. */
  readonly more?: {
    readonly usage?: Members;
    readonly cpuset?: Members;
    readonly kernelTCP?: Init<MemoryData>;
  };
}

/** The event that runc prints for a container's figures (opencontainers/runc, types/events.go), intel_rdt always empty. */
export function statsEvent(id: string, { cgroupStats, networkStats, more = {} }: Figures): JsonValue {
  const { cpuStats, memoryStats, pidsStats, blkioStats, hugetlbStats } = cgroupStats ?? {};
  const data = {
    cpu: cpu(cpuStats, more.usage),
    ...(more.cpuset === undefined ? {} : { cpuset: more.cpuset }),
    memory: memory(memoryStats, more.kernelTCP),
    pids: given({ current: pidsStats?.current, limit: pidsStats?.limit }),
    blkio: blkio(blkioStats),
    hugetlb: Object.fromEntries(
      [...(hugetlbStats ?? [])].map(([size, { usage, maxUsage, failcnt }]) => [
        size,
        { ...given({ usage, max: maxUsage }), failcnt },
      ]),
    ),
    intel_rdt: {},
    network_interfaces: networkStats.length === 0 ? null : networkStats.map(network),
  };
  return { type: "stats", id, data };
}

export function oomEvent(id: string): JsonValue {
  return { type: "oom", id };
}

function cpu(stats: Init<CpuStats> | undefined, more: Members | undefined): Members {
  const { totalUsage, percpuUsage, usageInKernelmode, usageInUsermode } = stats?.cpuUsage ?? {};
  const { periods, throttledPeriods, throttledTime } = stats?.throttlingData ?? {};
  return {
    usage: {
      ...given({ total: totalUsage, percpu: percpuUsage, ...more }),
      kernel: usageInKernelmode ?? 0,
      user: usageInUsermode ?? 0,
    },
    throttling: given({ periods, throttledPeriods, throttledTime }),
  };
}

function memory(stats: Init<MemoryStats> | undefined, kernelTCP: Init<MemoryData> | undefined): Members {
  const entry = (data: Init<MemoryData> | undefined) => ({
    limit: data?.limit ?? 0,
    ...given({ usage: data?.usage, max: data?.maxUsage }),
    failcnt: data?.failcnt ?? 0,
  });
  return {
    ...given({ cache: stats?.cache }),
    usage: entry(stats?.usage),
    swap: entry(stats?.swapUsage),
    kernel: entry(stats?.kernelUsage),
    kernelTCP: entry(kernelTCP),
    raw: Object.fromEntries([...(stats?.stats ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function blkio(stats: Init<BlkioStats> | undefined): Members {
  const list = (entries: readonly Init<BlkioStatsEntry>[] | undefined) =>
    entries?.map(({ major, minor, op, value }) => given({ major, minor, op, value }));
  return given({
    ioServiceBytesRecursive: list(stats?.ioServiceBytesRecursive),
    ioServicedRecursive: list(stats?.ioServicedRecursive),
    ioQueueRecursive: list(stats?.ioQueuedRecursive),
    ioServiceTimeRecursive: list(stats?.ioServiceTimeRecursive),
    ioWaitTimeRecursive: list(stats?.ioWaitTimeRecursive),
    ioMergedRecursive: list(stats?.ioMergedRecursive),
    ioTimeRecursive: list(stats?.ioTimeRecursive),
    sectorsRecursive: list(stats?.sectorsRecursive),
  });
}

function network(stats: NetworkStats): Members {
  return {
    Name: stats.name,
    RxBytes: stats.rxBytes,
    RxPackets: stats.rxPackets,
    RxErrors: stats.rxErrors,
    RxDropped: stats.rxDropped,
    TxBytes: stats.txBytes,
    TxPackets: stats.txPackets,
    TxErrors: stats.txErrors,
    TxDropped: stats.txDropped,
  };
}

/** Without what Go's omitempty leaves out. */
function given(members: Members): Members {
  const says = (value: JsonValue | undefined) =>
    Array.isArray(value)
      ? value.length > 0
      : value !== undefined && value !== 0 && value !== 0n && value !== "";
  return Object.fromEntries(Object.entries(members).filter(([, value]) => says(value)));
}
