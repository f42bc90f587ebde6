import { isSysError, MS, mkdirp, ops, readText, writeText } from "@kata-containers/sys";
import { CGROUPS } from "../paths.ts";

type Row = readonly [fstype: string, target: string, flags: number, data: string];

const SECURE = MS.NOSUID | MS.NODEV | MS.NOEXEC;

/** What must be there before modules are loaded and devices found. */
const FIRST: readonly Row[] = [
  ["devtmpfs", "/dev", MS.NOSUID, "mode=0755"],
  ["proc", "/proc", SECURE, ""],
  ["sysfs", "/sys", SECURE, ""],
];

/** What containers need. */
const THEN: readonly Row[] = [
  ["tmpfs", "/run", MS.NOSUID | MS.NODEV, "mode=0755"],
  ["tmpfs", "/tmp", MS.NOSUID | MS.NODEV, "mode=1777"],
  ["devpts", "/dev/pts", MS.NOSUID | MS.NOEXEC, "mode=0620,ptmxmode=0666,gid=5"],
  ["tmpfs", "/dev/shm", SECURE, "mode=1777"],
];

/** The controllers that containers are limited by. */
const CONTROLLERS = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];

const LINKS: readonly (readonly [target: string, path: string])[] = [
  ["/proc/self/fd", "/dev/fd"],
  ["/proc/self/fd/0", "/dev/stdin"],
  ["/proc/self/fd/1", "/dev/stdout"],
  ["/proc/self/fd/2", "/dev/stderr"],
];

function mountRow([fstype, target, flags, data]: Row): void {
  mkdirp(target);
  ops.mount(fstype, target, fstype, flags, data);
}

/** /dev, /proc and /sys of a guest that has just booted. */
export function mountKernelFileSystems(): void {
  FIRST.forEach(mountRow);
}

/** /run, terminals, shared memory and the links every /dev has. */
export function mountRuntimeFileSystems(): void {
  THEN.forEach(mountRow);
  for (const [target, path] of LINKS) {
    try {
      ops.symlink(target, path);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
  }
}

/** The unified hierarchy, its controllers handed down to the containers' groups. */
export function mountUnifiedCgroups(): void {
  ops.mount("cgroup2", CGROUPS, "cgroup2", SECURE, "nsdelegate");
  const offered = readText(`${CGROUPS}/cgroup.controllers`).trim().split(" ");
  const wanted = CONTROLLERS.filter((name) => offered.includes(name));
  writeText(`${CGROUPS}/cgroup.subtree_control`, wanted.map((name) => `+${name}`).join(" "));
}

/**
 * The controllers of /proc/cgroups that are enabled, each a hierarchy of its own; cpu and cpuacct share one, as everywhere.
 * Format: cgroups(7), "name hierarchy num_cgroups enabled".
 */
export function legacyHierarchies(procCgroups: string): string[] {
  const enabled = procCgroups
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(/\s+/))
    .filter(([, , , on]) => on === "1")
    .map(([name]) => name ?? "");
  const joint = enabled.includes("cpu") && enabled.includes("cpuacct");
  const names = joint ? enabled.filter((name) => name !== "cpuacct") : enabled;
  return names.map((name) => (joint && name === "cpu" ? "cpu,cpuacct" : name));
}

/** Version 1 hierarchies below /sys/fs/cgroup. */
export function mountLegacyCgroups(): void {
  ops.mount("tmpfs", CGROUPS, "tmpfs", SECURE, "mode=0755");
  for (const name of legacyHierarchies(readText("/proc/cgroups"))) {
    mountRow(["cgroup", `${CGROUPS}/${name}`, SECURE, name]);
    for (const link of name.includes(",") ? name.split(",") : []) ops.symlink(name, `${CGROUPS}/${link}`);
  }
}
