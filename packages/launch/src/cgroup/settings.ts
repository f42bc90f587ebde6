import type { BlockIo, CpuLimits, MemoryLimits, Resources } from "@kata-containers/oci";
import { unsupported } from "../refuse.ts";

type File = { readonly file: string; readonly text: string };

/** One limit, as each version of cgroups spells it; a version that is absent cannot express it. */
export type Setting = {
  /** Where it stands in config.json, for errors. */
  readonly where: string;
  readonly v1Controller: string;
  /** When v2 calls the controller otherwise. */
  readonly v2Controller?: string;
  readonly v1?: File;
  readonly v2?: File;
};

/** The limits of linux.resources, in an order that the kernel accepts. Devices: device-rules.ts. */
export function settingsOfResources(resources: Resources): Setting[] {
  if (resources.rdma !== undefined && Object.keys(resources.rdma).length > 0) {
    unsupported("linux.resources.rdma", "a limit of RDMA devices");
  }
  return [
    ...memorySettings(resources.memory ?? {}),
    ...cpuSettings(resources.cpu ?? {}),
    ...pidsSettings(resources.pids?.limit),
    ...blockIoSettings(resources.blockIO ?? {}),
    ...hugepageSettings(resources),
    ...networkSettings(resources),
  ];
}

const file = (name: string, text: string | number): File => ({ file: name, text: `${text}` });
const maximum = (value: number) => (value < 0 ? "max" : `${value}`);

/** 0 means "not set", as runc and docker have it; -1 "no limit". */
function isSet(value: number | undefined): value is number {
  return value !== undefined && value !== 0;
}

function memorySettings(memory: MemoryLimits): Setting[] {
  const where = (key: string) => `linux.resources.memory.${key}`;
  const settings: Setting[] = [];
  const add = (key: string, v1: File | undefined, v2: File | undefined) =>
    settings.push({
      where: where(key),
      v1Controller: "memory",
      ...(v1 === undefined ? {} : { v1 }),
      ...(v2 === undefined ? {} : { v2 }),
    });
  const { limit, swap, reservation, kernel, kernelTCP, swappiness } = memory;
  if (isSet(kernel)) unsupported(where("kernel"), "a limit of kernel memory (deprecated since Linux 5.4)");
  // v1: memsw may never be below limit, so limit first.
  if (isSet(limit)) add("limit", file("memory.limit_in_bytes", limit), file("memory.max", maximum(limit)));
  if (isSet(swap)) {
    // v2 counts swap alone.
    const alone = swap < 0 ? -1 : swap - Math.max(limit ?? 0, 0);
    add("swap", file("memory.memsw.limit_in_bytes", swap), file("memory.swap.max", maximum(alone)));
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
  const add = (key: string, v1Controller: string, v1: File, v2: File | undefined) =>
    settings.push({ where: where(key), v1Controller, v1, ...(v2 === undefined ? {} : { v2 }) });
  const { shares, quota, period, burst, realtimePeriod, realtimeRuntime, cpus, mems, idle } = cpu;
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
  if (isSet(idle)) add("idle", "cpu", file("cpu.idle", idle), file("cpu.idle", idle));
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

const THROTTLES = [
  ["throttleReadBpsDevice", "read_bps", "rbps"],
  ["throttleWriteBpsDevice", "write_bps", "wbps"],
  ["throttleReadIOPSDevice", "read_iops", "riops"],
  ["throttleWriteIOPSDevice", "write_iops", "wiops"],
] as const;

function blockIoSettings(blockIo: BlockIo): Setting[] {
  const at = "linux.resources.blockIO";
  if (isSet(blockIo.weight) || isSet(blockIo.leafWeight) || blockIo.weightDevice?.length) {
    unsupported(`${at}.weight`, "a block I/O weight");
  }
  return THROTTLES.flatMap(([key, v1Name, v2Name]) =>
    (blockIo[key] ?? []).map(({ major, minor, rate }, index) => ({
      where: `${at}.${key}[${index}]`,
      v1Controller: "blkio",
      v2Controller: "io",
      v1: file(`blkio.throttle.${v1Name}_device`, `${major}:${minor} ${rate}`),
      v2: file("io.max", `${major}:${minor} ${v2Name}=${rate}`),
    })),
  );
}

function hugepageSettings(resources: Resources): Setting[] {
  return (resources.hugepageLimits ?? []).map(({ pageSize, limit }, index) => ({
    where: `linux.resources.hugepageLimits[${index}]`,
    v1Controller: "hugetlb",
    v1: file(`hugetlb.${pageSize}.limit_in_bytes`, limit),
    v2: file(`hugetlb.${pageSize}.max`, maximum(limit)),
  }));
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
