import {
  CgroupV1Metrics,
  CgroupV2Metrics,
  type Init,
  type NetworkStats,
  StatsContainerResponse,
} from "@kata-containers/protocols";
import { describe, expect, test } from "vitest";
import { metricsOf } from "./metrics.ts";

const UNLIMITED = (1n << 64n) - 1n;
const UNLIMITED_V1 = 9_223_372_036_854_771_712n;

/** As the agent's answer arrives. */
const received = (stats: Init<StatsContainerResponse>) =>
  StatsContainerResponse.decode(StatsContainerResponse.encode(stats));

const v1Of = (stats: Init<StatsContainerResponse>) => {
  const { typeUrl, value } = metricsOf(received(stats), 1);
  expect(typeUrl).toBe("io.containerd.cgroups.v1.Metrics");
  return CgroupV1Metrics.decode(value);
};
const v2Of = (stats: Init<StatsContainerResponse>) => {
  const { typeUrl, value } = metricsOf(received(stats), 2);
  expect(typeUrl).toBe("io.containerd.cgroups.v2.Metrics");
  return CgroupV2Metrics.decode(value);
};

const eth0: NetworkStats = {
  name: "eth0",
  rxBytes: 1,
  rxPackets: 2,
  rxErrors: 3,
  rxDropped: 4,
  txBytes: 5,
  txPackets: 6,
  txErrors: 7,
  txDropped: 8,
};
const entry = (op: string, value: bigint, minor = 0) => ({ major: 254, minor, op, value });

/** What an agent answers whose guest has cgroup v1, and v2. */
const guestV1: Init<StatsContainerResponse> = {
  cgroupStats: {
    cpuStats: {
      cpuUsage: {
        totalUsage: 9_000_000n,
        percpuUsage: [4_000_000n, 5_000_000n],
        usageInKernelmode: 2_000_000n,
        usageInUsermode: 7_000_000n,
      },
      throttlingData: { periods: 10, throttledPeriods: 3, throttledTime: 4_000_000n },
    },
    memoryStats: {
      usage: { usage: 100n, maxUsage: 200n, failcnt: 7n, limit: 1000n },
      swapUsage: { usage: 130n, maxUsage: 230n, failcnt: 1n, limit: 3000n },
      kernelUsage: { usage: 9n, maxUsage: 10n, failcnt: 0n, limit: UNLIMITED_V1 },
      useHierarchy: true,
      stats: new Map([
        ["cache", 11n],
        ["total_cache", 12n],
        ["rss", 13n],
        ["total_rss", 14n],
        ["pgfault", 15n],
        ["total_pgfault", 16n],
        ["pgpgin", 17n],
        ["inactive_file", 18n],
        ["total_inactive_file", 19n],
        ["total_mapped_file", 20n],
        ["hierarchical_memory_limit", 1000n],
        ["hierarchical_memsw_limit", 3000n],
      ]),
    },
    pidsStats: { current: 5, limit: 0n },
    blkioStats: {
      ioServiceBytesRecursive: [entry("Read", 4096n), entry("Write", 8192n), entry("Total", 12288n)],
      ioServicedRecursive: [entry("Read", 1n), entry("Write", 2n), entry("Read", 3n, 16)],
      ioMergedRecursive: [entry("Read", 9n)],
    },
    hugetlbStats: new Map([["2MB", { usage: 1, maxUsage: 2, failcnt: 3 }]]),
  },
  networkStats: [eth0],
};
const guestV2: Init<StatsContainerResponse> = {
  cgroupStats: {
    cpuStats: {
      cpuUsage: { totalUsage: 9_000_000n, usageInKernelmode: 2_000_000n, usageInUsermode: 7_000_000n },
    },
    memoryStats: {
      usage: { usage: 100n, maxUsage: 200n, failcnt: 7n, limit: UNLIMITED },
      // Memory and swap together, as in v1.
      swapUsage: { usage: 130n, failcnt: 1n, limit: UNLIMITED },
      useHierarchy: true,
      stats: new Map([
        ["anon", 1n],
        ["file", 2n],
        ["anon_thp", 3n],
        ["file_mapped", 4n],
        ["pgfault", 5n],
        ["inactive_file", 6n],
        ["slab", 7n],
        ["workingset_nodereclaim", 8n],
      ]),
    },
    pidsStats: { current: 5, limit: 64n },
  },
};

describe("on a host with cgroup v1", () => {
  test("a guest's v1 figures are what containerd reads of v1", () => {
    const { hugetlb, pids, cpu, memory, blkio, network } = v1Of(guestV1);
    expect(hugetlb).toEqual([{ pagesize: "2MB", usage: 1, max: 2, failcnt: 3 }]);
    expect(pids).toEqual({ current: 5, limit: UNLIMITED });
    expect(cpu).toEqual({
      usage: { total: 9_000_000n, kernel: 2_000_000n, user: 7_000_000n, perCpu: [4_000_000n, 5_000_000n] },
      throttling: { periods: 10, throttledPeriods: 3, throttledTime: 4_000_000n },
    });
    expect(memory).toMatchObject({
      usage: { usage: 100n, max: 200n, failcnt: 7n, limit: 1000n },
      swap: { usage: 130n, max: 230n, failcnt: 1n, limit: 3000n },
      kernel: { usage: 9n, max: 10n, failcnt: 0n, limit: UNLIMITED_V1 },
      ...{
        cache: 11n,
        totalCache: 12n,
        rss: 13n,
        totalRss: 14n,
        pgFault: 15n,
        totalPgFault: 16n,
        pgPgIn: 17n,
      },
      ...{ inactiveFile: 18n, totalInactiveFile: 19n, totalMappedFile: 20n },
      ...{ hierarchicalMemoryLimit: 1000n, hierarchicalSwapLimit: 3000n },
    });
    const device = { major: 254, minor: 0, device: "" };
    expect(blkio?.ioServiceBytesRecursive).toEqual([
      { ...device, op: "Read", value: 4096n },
      { ...device, op: "Write", value: 8192n },
      { ...device, op: "Total", value: 12288n },
    ]);
    expect(blkio?.ioServicedRecursive).toHaveLength(3);
    expect(blkio?.ioMergedRecursive).toHaveLength(1);
    expect(network).toEqual([eth0]);
  });

  test("a guest's v2 figures are told under v1's names", () => {
    const { memory, pids } = v1Of(guestV2);
    expect(memory).toMatchObject({
      usage: { usage: 100n, max: 200n, limit: UNLIMITED_V1 },
      swap: { usage: 130n, limit: UNLIMITED_V1 },
      ...{ rss: 1n, totalRss: 1n, cache: 2n, totalCache: 2n, rssHuge: 3n, totalMappedFile: 4n },
      ...{ pgFault: 5n, totalPgFault: 5n, totalInactiveFile: 6n },
      hierarchicalMemoryLimit: UNLIMITED_V1,
    });
    expect(pids).toEqual({ current: 5, limit: 64n });
  });
});

describe("on a host with cgroup v2", () => {
  test("a guest's v2 figures are what containerd reads of v2", () => {
    const { cpu, memory, pids } = v2Of(guestV2);
    expect(cpu).toMatchObject({ usageUsec: 9000n, systemUsec: 2000n, userUsec: 7000n });
    expect(memory).toMatchObject({
      ...{ usage: 100n, usageLimit: UNLIMITED, maxUsage: 200n, swapUsage: 30n, swapLimit: UNLIMITED },
      ...{ anon: 1n, file: 2n, anonThp: 3n, fileMapped: 4n, pgfault: 5n, inactiveFile: 6n, slab: 7n },
      workingsetNodereclaim: 8n,
    });
    expect(pids).toEqual({ current: 5, limit: 64n });
  });

  test("a guest's v1 figures are told under v2's names, in v2's units", () => {
    const { cpu, memory, pids, io, hugetlb, network } = v2Of(guestV1);
    expect(cpu).toMatchObject({ nrPeriods: 10, nrThrottled: 3, throttledUsec: 4000n });
    expect(memory).toMatchObject({
      ...{ usage: 100n, usageLimit: 1000n, swapUsage: 30n, swapLimit: 2000n },
      // v2 counts what is below a group too.
      ...{ file: 12n, anon: 14n, pgfault: 16n, inactiveFile: 19n, fileMapped: 20n },
    });
    expect(pids).toEqual({ current: 5, limit: UNLIMITED });
    expect(io?.usage).toEqual([
      { major: 254, minor: 0, rbytes: 4096n, wbytes: 8192n, rios: 1n, wios: 2n },
      { major: 254, minor: 16, rbytes: 0n, wbytes: 0n, rios: 3n, wios: 0n },
    ]);
    expect(hugetlb).toEqual([{ pagesize: "2MB", current: 1, max: 0, failcnt: 3 }]);
    expect(network).toEqual([eth0]);
  });

  test("upstream's agent, which has v2's operations in the list of bytes, is understood", () => {
    const ioServiceBytesRecursive = ["read", "write", "rios", "wios"].map((op, at) =>
      entry(op, BigInt(at + 1)),
    );
    const { io } = v2Of({ cgroupStats: { blkioStats: { ioServiceBytesRecursive } } });
    expect(io?.usage).toEqual([{ major: 254, minor: 0, rbytes: 1n, wbytes: 2n, rios: 3n, wios: 4n }]);
  });
});

describe.each([1, 2] as const)("for a host's cgroup v%d", (version) => {
  const metrics = version === 1 ? v1Of : v2Of;

  test("what the agent does not tell is absent, not 0", () => {
    const { pids, cpu, memory } = metrics({ networkStats: [eth0] });
    expect([pids, cpu, memory]).toEqual([undefined, undefined, undefined]);
    expect(metrics({ networkStats: [eth0] }).network).toEqual([eth0]);
  });

  test("the largest numbers there are pass", () => {
    const { memory } = metrics({
      cgroupStats: {
        cpuStats: { cpuUsage: { totalUsage: UNLIMITED, percpuUsage: [UNLIMITED] } },
        memoryStats: {
          usage: { usage: UNLIMITED, limit: UNLIMITED },
          swapUsage: { usage: 1n, limit: 1n },
          stats: new Map([["inactive_file", UNLIMITED]]),
        },
      },
    });
    expect(memory).toMatchObject({ inactiveFile: UNLIMITED });
  });

  test("lists of a hostile guest are cut", () => {
    const many = <T>(one: T) => Array.from({ length: 5000 }, () => one);
    const { value } = metricsOf(
      received({
        cgroupStats: {
          cpuStats: { cpuUsage: { percpuUsage: many(1n) } },
          blkioStats: {
            ioServiceBytesRecursive: Array.from({ length: 5000 }, (_, at) => entry("Read", 1n, at)),
          },
          hugetlbStats: new Map(Array.from({ length: 5000 }, (_, at) => [`${at}MB`, { usage: 1 }])),
        },
        networkStats: many(eth0),
      }),
      version,
    );
    expect(value.length).toBeLessThan(64 << 10);
    const { network, hugetlb } =
      version === 1 ? CgroupV1Metrics.decode(value) : CgroupV2Metrics.decode(value);
    expect([network.length, hugetlb.length]).toEqual([256, 16]);
  });

  test("names that Linux does not give are left out", () => {
    const names = ["eth0", "", "a b", "a/b", "a:b", "\n", "x".repeat(16), "\u202e", "wg-home.1"];
    const { network, hugetlb } = metrics({
      networkStats: names.map((name) => ({ ...eth0, name })),
      cgroupStats: {
        hugetlbStats: new Map(
          ["1GB", "64KB", "", "2MB\n", "MB", "__proto__"].map((size) => [size, { usage: 1 }]),
        ),
      },
    });
    expect(network.map(({ name }) => name)).toEqual(["eth0", "wg-home.1"]);
    expect(hugetlb.map(({ pagesize }) => pagesize)).toEqual(["1GB", "64KB"]);
  });
});

test("an operation that only an object has is no operation", () => {
  const ioServiceBytesRecursive = ["constructor", "toString", "rm -rf", ""].map((op) => entry(op, 1n));
  expect(v2Of({ cgroupStats: { blkioStats: { ioServiceBytesRecursive } } }).io?.usage).toEqual([]);
  const { blkio } = v1Of({ cgroupStats: { blkioStats: { ioServiceBytesRecursive } } });
  expect(blkio?.ioServiceBytesRecursive.map(({ op }) => op)).toEqual(["constructor", "toString"]);
});
