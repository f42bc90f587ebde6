import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CgroupPlace } from "./cgroup-places.ts";
import { hugepageSizes } from "./figures.ts";
import { isFrozen } from "./freezer.ts";
import { readMoreStats } from "./more-stats.ts";
import { readStats } from "./stats.ts";
import { updateLimits } from "./update-limits.ts";

const at = (version: 1 | 2, directory: string, ...controllers: string[]): CgroupPlace => ({
  version,
  controllers,
  mountpoint: "/cg",
  path: "/c",
  directory,
});
const V1 = [at(1, "/cpu", "cpu", "cpuacct"), at(1, "/mem", "memory"), at(1, "/pids", "pids")];
const V2 = [at(2, "/c", "cpu", "memory", "pids", "io", "hugetlb")];

let files: Map<string, string>;
let writes: string[];

beforeEach(() => {
  files = new Map();
  writes = [];
  const fake: Partial<Ops> = {
    readFile: (path) => {
      const text = files.get(path);
      if (text === undefined) throw new SysError("ENOENT", "open", path);
      return new TextEncoder().encode(text);
    },
    readTexts: (directory, names) => names.map((name) => files.get(`${directory}/${name}`) ?? ""),
    writeFile: (path, bytes) => {
      const text = new TextDecoder().decode(bytes);
      if (text === "10") throw new SysError("EINVAL", "write", path);
      writes.push(`${path} ${text}`);
    },
    readdir: (path) => {
      if (path === "/gone") throw new SysError("ENOENT", "open", path);
      return [{ name: "hugetlb.2MB.here", type: "file" }];
    },
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

describe("an update", () => {
  test("of v1 raises memory-and-swap before memory, and lowers it after", () => {
    files.set("/mem/memory.memsw.limit_in_bytes", "150");
    updateLimits({ memory: { limit: 200, swap: 300 } }, V1);
    updateLimits({ memory: { limit: 100, swap: 120 } }, V1);
    updateLimits({ memory: { limit: -1 } }, V1);
    expect(writes.map((line) => line.replace("/mem/memory.", ""))).toEqual([
      "memsw.limit_in_bytes 300",
      "limit_in_bytes 200",
      "limit_in_bytes 100",
      "memsw.limit_in_bytes 120",
      "memsw.limit_in_bytes -1",
      "limit_in_bytes -1",
    ]);
  });

  test("of v2 knows the memory limit that swap is counted from, and keeps the half of cpu.max that is not given", () => {
    files.set("/c/memory.max", "100");
    files.set("/c/cpu.max", "max 50000");
    // Whoever keeps limits as well, as systemd does, is to be told of the same.
    expect(updateLimits({ memory: { swap: 150 }, cpu: { quota: 2000 } }, V2)).toEqual({
      memory: { swap: 150, limit: 100 },
      cpu: { quota: 2000, period: 50000 },
    });
    const expected = ["/c/memory.max 100", "/c/memory.swap.max 50", "/c/cpu.max 2000 50000"];
    expect([...new Set(writes)]).toEqual(expected);
  });

  test("of v2's own files, by their names", () => {
    updateLimits({ pids: { limit: 7 }, unified: { "memory.high": "500" } }, V2);
    expect(writes).toEqual(["/c/pids.max 7", "/c/memory.high 500"]);
  });

  test("below what is used is refused, if that is to be looked at before", () => {
    files.set("/c/memory.current", "300\n");
    const memory = { limit: 200, checkBeforeUpdate: true };
    expect(() => updateLimits({ memory }, V2)).toThrow("memory limit 200 is below the usage, 300");
    expect(writes).toEqual([]);
    updateLimits({ memory: { ...memory, limit: 400 } }, V2);
    expect(writes).toEqual(["/c/memory.max 400"]);
  });

  test("writes nothing when a limit makes no sense", () => {
    files.set("/c/memory.max", "max");
    expect(() => updateLimits({ memory: { swap: 150 } }, V2)).toThrow(
      "unable to set swap limit without memory",
    );
    expect(() => updateLimits({ memory: { limit: 200, swap: 100 } }, V1)).toThrow(
      "should be >= memory limit",
    );
    expect(() => updateLimits({ pids: { limit: 5 }, memory: { kernelTCP: 5 } }, V2)).toThrow("cgroup v2");
    expect(writes).toEqual([]);
  });

  test("names the file and the value that the kernel refuses", () => {
    expect(() => updateLimits({ pids: { limit: 10 } }, V2)).toThrow(/refuses pids\.max = 10: .*EINVAL/);
  });
});

describe("figures", () => {
  test("of v1 are read from each controller's directory", () => {
    files.set("/cpu/cpuacct.usage", "1000\n");
    files.set("/cpu/cpuacct.usage_percpu", "600 400 \n");
    files.set("/cpu/cpuacct.stat", "user 3\nsystem 4\n");
    files.set("/mem/memory.usage_in_bytes", "4096\n");
    files.set("/mem/memory.limit_in_bytes", "9223372036854771712\n");
    files.set("/mem/memory.stat", "cache 1\nrss 2\n");
    files.set("/pids/pids.current", "2\n");
    files.set("/pids/pids.max", "max\n");
    expect(readStats(V1)).toMatchObject({
      cpuStats: {
        cpuUsage: {
          totalUsage: 1000n,
          percpuUsage: [600n, 400n],
          usageInUsermode: 30_000_000n,
          usageInKernelmode: 40_000_000n,
        },
      },
      memoryStats: { cache: 1, usage: { usage: 4096n, limit: 9223372036854771712n } },
      pidsStats: { current: 2, limit: 0n },
    });
  });

  test("of v1 have the throttling of the controller cpu, mounted with cpuacct or apart", () => {
    files.set("/cpu/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 9\n");
    const throttlingData = { periods: 3, throttledPeriods: 2, throttledTime: 9n };
    expect(readStats(V1)).toMatchObject({ cpuStats: { throttlingData } });
    const apart = [at(1, "/cpu", "cpu"), at(1, "/acct", "cpuacct")];
    files.set("/acct/cpuacct.usage", "7\n");
    expect(readStats(apart)).toMatchObject({
      cpuStats: { cpuUsage: { totalUsage: 7n }, throttlingData },
    });
  });

  test("that the agent's protocol has not: of each processor, of cpusets, of TCP", () => {
    files.set("/cpu/cpuacct.usage_all", "cpu user system\n0 1 2\n1 30 40\n");
    files.set("/set/cpuset.cpus", "0-2,5\n");
    files.set("/set/cpuset.mems", "0\n");
    files.set("/set/cpuset.sched_relax_domain_level", "-1\n");
    files.set("/mem/memory.kmem.tcp.limit_in_bytes", "77\n");
    expect(readMoreStats([...V1, at(1, "/set", "cpuset")])).toMatchObject({
      percpuKernel: [2n, 40n],
      percpuUser: [1n, 30n],
      cpuset: { cpus: [0, 1, 2, 5], mems: [0], cpu_exclusive: 0, sched_relax_domain_level: -1 },
      kernelTcp: { limit: 77n, usage: 0n },
    });
    const { percpuUser, cpuset, kernelTcp } = readMoreStats(V2);
    expect({ percpuUser, kernelTcp }).toEqual({ percpuUser: [], kernelTcp: undefined });
    expect(new Set(Object.values(cpuset))).toEqual(new Set([0]));
  });

  test("of v2 count swap together with memory, and io by device", () => {
    files.set("/c/cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nthrottled_usec 7\n");
    files.set("/c/memory.current", "100\n");
    files.set("/c/memory.max", "200\n");
    files.set("/c/memory.swap.current", "10\n");
    files.set("/c/memory.swap.max", "50\n");
    files.set("/c/memory.stat", "file 9\n");
    files.set("/c/io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n");
    expect(readStats(V2)).toMatchObject({
      cpuStats: { cpuUsage: { totalUsage: 5000n }, throttlingData: { throttledTime: 7000n } },
      memoryStats: { cache: 9, usage: { limit: 200n }, swapUsage: { usage: 110n, limit: 250n } },
      blkioStats: {
        ioServiceBytesRecursive: [
          { major: 8, minor: 0, op: "Read", value: 1n },
          { op: "Write" },
          { op: "Discard" },
        ],
        ioServicedRecursive: [{ value: 3n }, { value: 4n }, { value: 0n }],
      },
    });
  });

  test("of a control group that is removed meanwhile are none, and the sizes of huge pages are asked again", () => {
    expect(hugepageSizes("/gone", "here")).toEqual([]);
    expect(hugepageSizes("/c", "here")).toEqual(["2MB"]);
  });

  test("of a guest without any controller are none", () => {
    expect(readStats([])).toEqual({});
  });
});

test("a container is frozen when its freezer says so or is at it, on either version; without one it is not", () => {
  const v1 = [at(1, "/frz", "freezer")];
  for (const state of ["FROZEN\n", "FREEZING\n"]) {
    files.set("/frz/freezer.state", state);
    expect(isFrozen(v1)).toBe(true);
  }
  files.set("/frz/freezer.state", "THAWED\n");
  expect(isFrozen(v1)).toBe(false);
  files.set("/c/cgroup.freeze", "1\n");
  expect(isFrozen(V2)).toBe(true);
  files.delete("/c/cgroup.freeze");
  expect(isFrozen(V2)).toBe(false);
  expect(isFrozen([])).toBe(false);
});
