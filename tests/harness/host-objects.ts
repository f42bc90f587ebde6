import { existsSync } from "node:fs";
import { thingsOnHost } from "./host-things.ts";
import { commandOf, isZombie, list, pids, read } from "./leaks.ts";

/**
 * Everything there is on the host of what a sandbox needs, whoever's it is and whatever it is called, a line each: processes
 * (kernel threads and those that have ended apart), and the things that outlive them; of cgroups those in which no process is.
 */
export function hostObjects(): string[] {
  const used = cgroupsInUse();
  const things = [...thingsOnHost()].filter(([, { kind, name }]) => kind !== "cgroup" || !isUsed(name, used));
  return [...pids().flatMap(describeProcess), ...things.map(([line]) => line)];
}

/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const KERNEL_THREAD = 0x00200000;

function describeProcess(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  // What follows the name, which may have spaces and brackets: proc(5), its third field and on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [flags, startTime] = [Number(fields[6]), fields[19]];
  if (isZombie(pid) || (flags & KERNEL_THREAD) !== 0) return [];
  return [`process ${pid}, started at ${startTime}: ${commandOf(pid).slice(0, 200)}`];
}

/** Whether a directory below /sys/fs/cgroup is one of these, in whichever hierarchy: its first parts are where that is mounted. */
function isUsed(directory: string, used: ReadonlySet<string>): boolean {
  const parts = directory.slice("/sys/fs/cgroup".length).split("/");
  return [1, 2].some((first) => used.has(`/${parts.slice(first).join("/")}`));
}

/** Paths of the cgroups that have processes, in any hierarchy, and of those above. */
function cgroupsInUse(): Set<string> {
  // In a pid namespace of its own (tests/full/alone), a cgroup of version 1 looks empty that has others' processes.
  const machine = "/run/machine/proc";
  const proc = existsSync(machine) ? machine : "/proc";
  const used = new Set(["/"]);
  for (const name of list(proc).filter((entry) => /^\d+$/.test(entry)))
    for (const line of read(`${proc}/${name}/cgroup`).trimEnd().split("\n"))
      for (let path = line.split(":").slice(2).join(":"); path !== ""; path = path.replace(/\/[^/]*$/, ""))
        used.add(path);
  return used;
}
