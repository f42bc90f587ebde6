import { readText } from "./files.ts";
import { ops } from "./ops.ts";
import { gauge, itemGauges } from "./prometheus.ts";
import { isSysError } from "./sys-error.ts";

const KIB = 1024;

/**
 * A process's families in Prometheus's text format, of the names, items and units of Kata's documentation: `<prefix>_threads`, `_fds`,
 * `_proc_status` (bytes, context switches), `_proc_stat` (clock ticks), `_io_stat`. What cannot be read is left out: the process may be
 * gone, or not ours to look at.
 * @param ioName what the kernel's name of a figure of /proc/pid/io is called; shim and agent differ in it
 */
export function processMetrics(
  prefix: string,
  pid: number | "self",
  ioName: (name: string) => string = (name) => name,
): string {
  const read = (file: string) => readProc(`/proc/${pid}/${file}`);
  const stat = statFigures(read("stat"));
  const threads = stat.get("num_threads");
  stat.delete("num_threads");
  const fds = readIfAllowed(() => ops.readdir(`/proc/${pid}/fd`).length);
  const io = [...ioFigures(read("io"))].map(([name, value]) => [ioName(name), value] as const);
  return [
    threads === undefined ? "" : gauge(`${prefix}_threads`, threads),
    fds === undefined ? "" : gauge(`${prefix}_fds`, fds),
    itemGauges(`${prefix}_proc_status`, statusFigures(read("status"))),
    itemGauges(`${prefix}_proc_stat`, stat),
    itemGauges(`${prefix}_io_stat`, new Map(io)),
  ].join("");
}

/** A file of /proc: "" for one that the kernel has not, of a process that is gone, or that is not ours to read. */
export function readProc(path: string): string {
  return readIfAllowed(() => readText(path)) ?? "";
}

/** Of its first thread, which is the one that starts them in programs of ours and virtiofsd; none of a process that is gone. */
export function childrenOf(pid: number): number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).trim();
  return children.split(" ").filter(Boolean).map(Number);
}

/** proc(5), /proc/pid/status: memory in bytes, and context switches, by the key in lower case. */
export function statusFigures(status: string): Map<string, number> {
  const figures = new Map<string, number>();
  for (const [, key = "", value] of status.matchAll(/^((?:Vm|Rss|Hugetlb)\w+):\s+(\d+) kB$/gm))
    figures.set(key.toLowerCase(), Number(value) * KIB);
  for (const [, key = "", value] of status.matchAll(/^(\w+_ctxt_switches):\s+(\d+)$/gm))
    figures.set(key, Number(value));
  return figures;
}

/** Names of fields of /proc/pid/stat by their place behind the program's name, which may hold anything. */
const STAT_FIELDS: readonly (readonly [string, number])[] = [
  ["utime", 11],
  ["stime", 12],
  ["cutime", 13],
  ["cstime", 14],
  ["num_threads", 17],
];

/** proc(5), /proc/pid/stat; empty for a text that is none. */
export function statFigures(stat: string): Map<string, number> {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const figures = STAT_FIELDS.map(([name, place]) => [name, Number(fields[place])] as const);
  return new Map(figures.filter(([, value]) => Number.isFinite(value)));
}

/** proc(5), /proc/pid/io. */
export function ioFigures(io: string): Map<string, number> {
  const lines = io.matchAll(/^(\w+): (\d+)$/gm);
  return new Map([...lines].map(([, name = "", value]) => [name, Number(value)]));
}

function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSysError(error, "ENOENT", "ESRCH", "EINVAL", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}
