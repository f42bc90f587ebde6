import type { Resources } from "@kata-containers/oci";
import { describe, expect, test } from "vitest";
import type { CgroupPlace } from "./cgroup-places.ts";
import { limitFiles } from "./limit-files.ts";
import { limitWarnings } from "./settings.ts";

const CONTROLLERS = ["cpu", "cpuset", "memory", "pids", "hugetlb", "rdma"];
const place = (version: 1 | 2, controllers: readonly string[]): CgroupPlace => ({
  version,
  controllers,
  mountpoint: "/cg",
  path: "/c",
  directory: "/c",
});
const V1 = place(1, [...CONTROLLERS, "blkio"]);
const V2 = place(2, [...CONTROLLERS, "io"]);

/** "file text", "or" what is written where the kernel has no such file, "optional" if nothing is. */
const lines = (resources: Resources, where: CgroupPlace) =>
  limitFiles(resources, [where]).map(({ path, text, or, optional }) =>
    [
      path,
      text,
      ...(or === undefined ? [] : ["or", or.path, or.text]),
      ...(optional ? ["optional"] : []),
    ].join(" "),
  );

describe("block I/O", () => {
  const blockIO = {
    weight: 500,
    weightDevice: [{ major: 8, minor: 0, weight: 10 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }],
  };

  test("v1 has weights of BFQ, or of what was there before it", () => {
    expect(lines({ blockIO }, V1)).toEqual([
      "/c/blkio.bfq.weight 500 or /c/blkio.weight 500",
      "/c/blkio.bfq.weight_device 8:0 10 or /c/blkio.weight_device 8:0 10",
      "/c/blkio.throttle.read_bps_device 8:0 1024",
      "/c/blkio.throttle.write_iops_device 8:0 0",
    ]);
  });

  test("v2 has weights of BFQ, or io.cost's of another range; no rate is no limit", () => {
    expect(lines({ blockIO }, V2)).toEqual([
      "/c/io.bfq.weight 500 or /c/io.weight default 4950",
      "/c/io.bfq.weight 8:0 10 or /c/io.weight 8:0 1",
      "/c/io.max 8:0 rbps=1024",
      "/c/io.max 8:0 wiops=max",
    ]);
  });

  test.each([[{ weight: 9 }], [{ weight: 1001 }], [{ leafWeight: 300 }]])("%j is refused", (wrong) => {
    expect(() => lines({ blockIO: wrong }, V1)).toThrow(/linux\.resources\.blockIO\.\w+eight: /);
  });
});

test("cpu: burst, and idle, of which 0 is a value, before and after the shares", () => {
  const cpu = { quota: 5000, period: 10_000, burst: 2000, idle: 1 };
  expect(lines({ cpu }, V1)).toEqual([
    "/c/cpu.cfs_period_us 10000",
    "/c/cpu.cfs_quota_us 5000",
    "/c/cpu.cfs_burst_us 2000",
    "/c/cpu.idle 1",
  ]);
  expect(lines({ cpu }, V2)).toContain("/c/cpu.max.burst 2000");
  for (const where of [V1, V2]) {
    const [first, last] = [0, 1].map((idle) => lines({ cpu: { shares: 2, idle } }, where));
    expect([first?.[0], last?.[1]]).toEqual(["/c/cpu.idle 0", "/c/cpu.idle 1"]);
  }
});

test("memory: swap is counted from the limit, and one below it is refused, not unlimited", () => {
  expect(lines({ memory: { limit: 100, swap: 100 } }, V2)).toEqual([
    "/c/memory.max 100",
    "/c/memory.swap.max 0",
  ]);
  expect(lines({ memory: { limit: 100, swap: -1 } }, V2)).toContain("/c/memory.swap.max max");
  expect(lines({ memory: { swap: 100 } }, V1)).toEqual(["/c/memory.memsw.limit_in_bytes 100"]);
  for (const where of [V1, V2])
    expect(() => lines({ memory: { limit: 100, swap: 50 } }, where)).toThrow(
      "linux.resources.memory.swap: 50 is less than memory.limit, 100, which it includes",
    );
  for (const limit of [0, -1])
    expect(() => lines({ memory: { limit, swap: 50 } }, V2)).toThrow(
      "memory.swap: cannot be set with cgroup v2 without memory.limit",
    );
});

test("memory: TCP buffers, swappiness and the OOM killer are v1's alone", () => {
  const memory = { kernelTCP: 7, swappiness: 0, disableOOMKiller: true, useHierarchy: true };
  expect(lines({ memory }, V1)).toEqual([
    "/c/memory.kmem.tcp.limit_in_bytes 7",
    "/c/memory.swappiness 0",
    "/c/memory.oom_control 1",
  ]);
  expect(() => lines({ memory }, V2)).toThrow("kernelTCP: cannot be set with cgroup v2");
});

test("memory: a limit of the kernel's is without effect, and said to be; no hierarchy cannot be had", () => {
  const memory = { kernel: 1 << 20 };
  expect(lines({ memory }, V1)).toEqual([]);
  expect(limitWarnings({ memory })).toEqual([
    "linux.resources.memory.kernel: without effect, Linux has no limit of kernel memory any more",
  ]);
  expect(limitWarnings({ memory: { kernel: 0 } })).toEqual([]);
  expect(() => lines({ memory: { useHierarchy: false } }, V1)).toThrow(/useHierarchy/);
});

test("huge pages and RDMA devices", () => {
  const resources = {
    hugepageLimits: [{ pageSize: "2MB", limit: 4096 }],
    rdma: { mlx5_0: { hcaHandles: 2, hcaObjects: 2000 }, none: {} },
  };
  expect(lines(resources, V1)).toEqual([
    "/c/hugetlb.2MB.limit_in_bytes 4096",
    "/c/hugetlb.2MB.rsvd.limit_in_bytes 4096 optional",
    "/c/rdma.max mlx5_0 hca_handle=2 hca_object=2000",
  ]);
  expect(lines(resources, V2).slice(0, 2)).toEqual([
    "/c/hugetlb.2MB.max 4096",
    "/c/hugetlb.2MB.rsvd.max 4096 optional",
  ]);
});
