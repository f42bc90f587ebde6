import { existsSync, readdirSync, readFileSync } from "node:fs";
import { pids } from "./leaks.ts";

/**
 * Everything there is on the host of what a sandbox needs, whoever's it is and whatever it is called, a line each: processes
 * (kernel threads and those that have ended apart), mounts, cgroups in which no process is, and the entries of /run/vc and
 * below, of /run/netns, /run/kata, /run/kata-containers, /dev/shm and /sys/class/net.
 */
export function hostObjects(): string[] {
  const mounts = mountInfo();
  const files = ["vc", "netns", "kata", "kata-containers"].map((name) => `/run/${name}`);
  return [
    ...pids().flatMap(describeProcess),
    ...mounts.map((line) => `mount ${line}`),
    ...emptyCgroups().map((path) => `cgroup ${path}`),
    ...[...files, "/dev/shm", "/sys/class/net"].flatMap(entriesBelow).map((path) => `file ${path}`),
  ];
}

/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const KERNEL_THREAD = 0x00200000;

function describeProcess(pid: number): string[] {
  const stat = textOf(`/proc/${pid}/stat`);
  // What follows the name, which may have spaces and brackets: proc(5), its third field and on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, flags, startTime] = [fields[0], Number(fields[6]), fields[19]];
  if (stat === "" || state === "Z" || state === "X" || (flags & KERNEL_THREAD) !== 0) return [];
  const command = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 200);
  return [`process ${pid}, started at ${startTime}: ${command}`];
}

function mountInfo(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
}

/** Cgroups of any version and controller without a process in them or below. */
function emptyCgroups(): string[] {
  const used = cgroupsInUse();
  return hierarchies().flatMap((root) =>
    directoriesBelow(root).filter((path) => !used.has(path.slice(root.length))),
  );
}

/** Where cgroup file systems are mounted. */
function hierarchies(): string[] {
  const lines = mountInfo().filter((line) => / - cgroup2? /.test(line));
  return [...new Set(lines.map((line) => line.split(" ")[4] ?? ""))];
}

/** Paths of the cgroups that have processes, in any hierarchy, and of those above. */
function cgroupsInUse(): Set<string> {
  // In a pid namespace of its own (tests/full/alone), a cgroup of version 1 looks empty that has others' processes.
  const machine = "/run/machine/proc";
  const proc = existsSync(machine) ? machine : "/proc";
  const used = new Set<string>();
  for (const { name } of entriesOf(proc).filter((entry) => /^\d+$/.test(entry.name)))
    for (const line of textOf(`${proc}/${name}/cgroup`).trimEnd().split("\n"))
      for (let path = line.split(":").slice(2).join(":"); path !== ""; path = path.replace(/\/[^/]*$/, ""))
        used.add(path);
  return used;
}

function directoriesBelow(directory: string): string[] {
  const below = entriesOf(directory).filter((entry) => entry.isDirectory());
  return below.flatMap(({ name }) => [`${directory}/${name}`, ...directoriesBelow(`${directory}/${name}`)]);
}

function entriesBelow(directory: string): string[] {
  return entriesOf(directory).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    return entry.isDirectory() ? [path, ...entriesBelow(path)] : [path];
  });
}

/** None when it is not there, or somebody else removed it while we looked. */
function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** "" when it is not there. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
