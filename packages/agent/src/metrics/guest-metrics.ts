import { gauges, itemGauges, label, netDeviceFigures, readProc, type Sample } from "@kata-containers/sys";
import { TICKS } from "./agent-metrics.ts";

const KIB = 1024;

/** The guest's families, as Kata's documentation names them (kata-2-0-metrics.md, "Kata guest OS metrics"), read as `read` does. */
export function guestMetrics(read: (path: string) => string = readProc): string {
  const [load, tasks] = loadFigures(read("/proc/loadavg"));
  return [
    itemGauges("kata_guest_load", load),
    itemGauges("kata_guest_tasks", tasks),
    gauges("kata_guest_cpu_time", cpuFigures(read("/proc/stat"))),
    itemGauges("kata_guest_meminfo", memoryFigures(read("/proc/meminfo"))),
    vmStat("kata_guest_vm_stat", read("/proc/vmstat")),
    gauges("kata_guest_netdev_stat", netDeviceFigures(read("/proc/net/dev"))),
    gauges("kata_guest_diskstat", diskFigures(read("/proc/diskstats"))),
  ].join("");
}

type Items = Map<string, number>;

function loadFigures(loadavg: string): [load: Items, tasks: Items] {
  const [, ...figures] = /^(\S+) (\S+) (\S+) (\d+)\/(\d+) /.exec(loadavg) ?? [];
  const [load1, load5, load15, current, all] = figures.map(Number);
  return [itemsOf({ load1, load5, load15 }), itemsOf({ cur: current, max: all })];
}

function itemsOf(values: Readonly<Record<string, number | undefined>>): Items {
  const items: Items = new Map();
  for (const [item, value] of Object.entries(values)) if (value !== undefined) items.set(item, value);
  return items;
}

/** The columns of /proc/stat's lines "cpu". */
const CPU_ITEMS = [
  "user",
  "nice",
  "system",
  "idle",
  "iowait",
  "irq",
  "softirq",
  "steal",
  "guest",
  "guest_nice",
] as const;

/** In milliseconds. */
function cpuFigures(stat: string): Sample[] {
  return [...stat.matchAll(/^cpu(\d*) +([\d ]+)$/gm)].flatMap(([, cpu = "", columns = ""]) => {
    const ticks = columns.split(" ").map(Number);
    return CPU_ITEMS.map((item, column): Sample => {
      const ms = ((ticks[column] ?? 0) * 1000) / TICKS;
      return [`cpu="${cpu || "total"}",item="${item}"`, ms];
    });
  });
}

/** Names of figures by the kernel's, which are the same each time. */
const memoryItems = new Map<string, string>();

/** In bytes, where the kernel says kB (which are KiB). */
function memoryFigures(meminfo: string): Items {
  const figures: Items = new Map();
  for (const line of meminfo.trimEnd().split("\n")) {
    const colon = line.indexOf(":");
    const value = Number.parseInt(line.slice(colon + 1), 10);
    if (colon < 0 || Number.isNaN(value)) continue;
    const key = line.slice(0, colon);
    const item = memoryItems.get(key) ?? memoryItem(key);
    memoryItems.set(key, item);
    figures.set(item, line.endsWith(" kB") ? value * KIB : value);
  }
  return figures;
}

/** "Active(anon)": active_anon, "SReclaimable": s_reclaimable, "AnonHugePages": anon_hugepages, "DirectMap2M": direct_map_2M. */
export function memoryItem(key: string): string {
  return key
    .replace("HugePages", "Hugepages")
    .replace("Percpu", "PerCpu")
    .replace(/\((\w+)\)/, "_$1")
    .replace(/([a-z])([A-Z0-9])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()
    .replace(/\d[mg]$/, (size) => size.toUpperCase());
}

/** Some two hundred lines `name number`: not taken apart one by one, for a VM may be emulated. */
function vmStat(name: string, vmstat: string): string {
  if (vmstat === "") return "";
  const lines = vmstat.trimEnd().replaceAll(" ", '"} ').replaceAll("\n", `\n${name}{item="`);
  return `# TYPE ${name} gauge\n${name}{item="${lines}\n`;
}

/** The columns of /proc/diskstats behind a disk's name (Documentation/admin-guide/iostats.rst). */
const DISK_ITEMS = [
  "reads",
  "merged",
  "sectors_read",
  "time_reading",
  "writes",
  "writes_merged",
  "sectors_written",
  "time_writing",
  "in_progress",
  "time_in_progress",
  "weighted_time_in_progress",
  "discards",
  "discards_merged",
  "sectors_discarded",
  "time_discarding",
  "flushes",
  "time_flushing",
] as const;

function diskFigures(diskstats: string): Sample[] {
  return [...diskstats.matchAll(/^ *\d+ +\d+ (\S+) ([\d ]+)$/gm)].flatMap(([, disk = "", columns = ""]) => {
    const values = columns.split(" ").map(Number);
    const device = label("disk", disk);
    // Older kernels have fewer columns.
    const items = DISK_ITEMS.slice(0, values.length);
    return items.map((item, column): Sample => [`${device},item="${item}"`, values[column] ?? 0]);
  });
}
