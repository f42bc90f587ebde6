import type { CpuLimits, MemoryLimits, Resources } from "@kata-containers/oci";
import { invalid } from "../refuse.ts";
import { blockIoSettings } from "./block-io-settings.ts";
import { file, isSet, type Setting, type SettingFile } from "./setting.ts";

/** The limits of linux.resources, in an order that the kernel accepts. Devices: device-rules.ts. */
export function settingsOfResources(resources: Resources): Setting[] {
  return [
    ...memorySettings(resources.memory ?? {}),
    ...cpuSettings(resources.cpu ?? {}),
    ...pidsSettings(resources.pids?.limit),
    ...blockIoSettings(resources.blockIO ?? {}),
    ...hugepageSettings(resources),
    ...networkSettings(resources),
    ...rdmaSettings(resources),
  ];
}

/** What is left out of them, one line each. */
export function limitWarnings({ memory }: Resources): string[] {
  return isSet(memory?.kernel)
    ? ["linux.resources.memory.kernel: without effect, Linux has no limit of kernel memory any more"]
    : [];
}

const maximum = (value: number) => (value < 0 ? "max" : `${value}`);

function memorySettings(memory: MemoryLimits): Setting[] {
  const where = (key: string) => `linux.resources.memory.${key}`;
  const settings: Setting[] = [];
  const add = (key: string, v1: SettingFile | undefined, v2: Setting["v2"]) =>
    settings.push({
      where: where(key),
      v1Controller: "memory",
      ...(v1 === undefined ? {} : { v1 }),
      ...(v2 === undefined ? {} : { v2 }),
    });
  const { limit, swap, reservation, kernelTCP, swappiness, useHierarchy } = memory;
  if (useHierarchy === false) invalid(where("useHierarchy"), "Linux has no other since 5.11");
  // v1: memsw may never be below limit, so limit first.
  if (isSet(limit)) add("limit", file("memory.limit_in_bytes", limit), file("memory.max", maximum(limit)));
  if (isSet(swap)) {
    const both = file("memory.memsw.limit_in_bytes", swap);
    if (swap < 0) add("swap", both, file("memory.swap.max", "max"));
    else if (isSet(limit) && limit > 0) {
      if (swap < limit)
        invalid(where("swap"), `${swap} is less than memory.limit, ${limit}, which it includes`);
      // v2 counts swap alone.
      add("swap", both, file("memory.swap.max", swap - limit));
    } else add("swap", both, "without memory.limit");
  }
  if (isSet(reservation)) {
    add(
      "reservation",
      file("memory.soft_limit_in_bytes", reservation),
      file("memory.low", maximum(reservation)),
    );
  }
  if (isSet(kernelTCP)) add("kernelTCP", file("memory.kmem.tcp.limit_in_bytes", kernelTCP), undefined);
  // -1: docker's way to say "not set".
  if (swappiness !== undefined && swappiness >= 0)
    add("swappiness", file("memory.swappiness", swappiness), undefined);
  if (memory.disableOOMKiller === true) add("disableOOMKiller", file("memory.oom_control", 1), undefined);
  return settings;
}

function cpuSettings(cpu: CpuLimits): Setting[] {
  const where = (key: string) => `linux.resources.cpu.${key}`;
  const settings: Setting[] = [];
  const add = (key: string, v1Controller: string, v1: SettingFile, v2: SettingFile | undefined) =>
    settings.push({ where: where(key), v1Controller, v1, ...(v2 === undefined ? {} : { v2 }) });
  const { shares, quota, period, burst, realtimePeriod, realtimeRuntime, cpus, mems, idle } = cpu;
  // 0 is a value of it. What is idle takes no shares: it must not be idle any more before, or not yet (sched_group_set_shares).
  const setIdle = (value: number) => add("idle", "cpu", file("cpu.idle", value), file("cpu.idle", value));
  if (idle === 0) setIdle(idle);
  if (isSet(shares))
    add("shares", "cpu", file("cpu.shares", shares), file("cpu.weight", weightOfShares(shares)));
  const max = file(
    "cpu.max",
    `${isSet(quota) && quota > 0 ? quota : "max"} ${isSet(period) ? period : DEFAULT_PERIOD}`,
  );
  if (isSet(period)) add("period", "cpu", file("cpu.cfs_period_us", period), max);
  if (isSet(quota)) add("quota", "cpu", file("cpu.cfs_quota_us", quota), max);
  if (isSet(burst)) add("burst", "cpu", file("cpu.cfs_burst_us", burst), file("cpu.max.burst", burst));
  if (isSet(realtimePeriod))
    add("realtimePeriod", "cpu", file("cpu.rt_period_us", realtimePeriod), undefined);
  if (isSet(realtimeRuntime))
    add("realtimeRuntime", "cpu", file("cpu.rt_runtime_us", realtimeRuntime), undefined);
  if (isSet(idle)) setIdle(idle);
  if (cpus) add("cpus", "cpuset", file("cpuset.cpus", cpus), file("cpuset.cpus", cpus));
  if (mems) add("mems", "cpuset", file("cpuset.mems", mems), file("cpuset.mems", mems));
  return settings;
}

/** Microseconds: the kernel's own default. */
const DEFAULT_PERIOD = 100_000;

/** [2, 262144] onto [1, 10000], as the runtimes agree (opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value). */
export function weightOfShares(shares: number): number {
  const clamped = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((clamped - 2) * 9999) / 262_142);
}

function pidsSettings(limit: number | undefined): Setting[] {
  if (!isSet(limit)) return [];
  const max = file("pids.max", maximum(limit));
  return [{ where: "linux.resources.pids.limit", v1Controller: "pids", v1: max, v2: max }];
}

/** Pages in use, and those reserved by mmap(2), which Linux counts from 5.7 on: cgroup-v1/hugetlb.rst, "Page fault accounting". */
function hugepageSettings(resources: Resources): Setting[] {
  const optional = true;
  return (resources.hugepageLimits ?? []).flatMap(({ pageSize, limit }, index) => {
    const setting = (kind: string) => ({
      where: `linux.resources.hugepageLimits[${index}]`,
      v1Controller: "hugetlb",
      v1: file(`hugetlb.${pageSize}${kind}.limit_in_bytes`, limit),
      v2: file(`hugetlb.${pageSize}${kind}.max`, maximum(limit)),
    });
    const { v1, v2, ...reserved } = setting(".rsvd");
    return [setting(""), { ...reserved, v1: { ...v1, optional }, v2: { ...v2, optional } }];
  });
}

function networkSettings(resources: Resources): Setting[] {
  const at = "linux.resources.network";
  const { classID, priorities = [] } = resources.network ?? {};
  return [
    ...(isSet(classID)
      ? [{ where: `${at}.classID`, v1Controller: "net_cls", v1: file("net_cls.classid", classID) }]
      : []),
    ...priorities.map(({ name, priority }, index) => ({
      where: `${at}.priorities[${index}]`,
      v1Controller: "net_prio",
      v1: file("net_prio.ifpriomap", `${name} ${priority}`),
    })),
  ];
}

/** The same on both versions: Documentation/admin-guide/cgroup-v1/rdma.rst. */
function rdmaSettings({ rdma = {} }: Resources): Setting[] {
  return Object.entries(rdma).flatMap(([device, { hcaHandles, hcaObjects }]) => {
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (limits.length === 0) return [];
    const max = file("rdma.max", [device, ...limits].join(" "));
    return [{ where: `linux.resources.rdma.${device}`, v1Controller: "rdma", v1: max, v2: max }];
  });
}
