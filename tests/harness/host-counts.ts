import { readdirSync, readFileSync } from "node:fs";
import { pids } from "./leaks.ts";

/** How many of each kind of thing there are on the host, whoever's they are and whatever they are called. */
export interface HostCounts {
  readonly processes: number;
  readonly mounts: number;
  readonly cgroups: number;
  /** Entries of /run/vc and below, of /run/netns, /dev/shm and /sys/class/net. */
  readonly files: number;
}

export function countHost(): HostCounts {
  const files = ["/run/vc", "/run/netns", "/dev/shm", "/sys/class/net"];
  return {
    processes: pids().length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n").length,
    cgroups: entriesBelow("/sys/fs/cgroup", "directories"),
    files: files.reduce((sum, directory) => sum + entriesBelow(directory, "all"), 0),
  };
}

function entriesBelow(directory: string, kind: "all" | "directories"): number {
  let count = 0;
  const visit = (path: string) => {
    for (const entry of entriesOf(path)) {
      if (kind === "all" || entry.isDirectory()) count++;
      if (entry.isDirectory()) visit(`${path}/${entry.name}`);
    }
  };
  visit(directory);
  return count;
}

/** None when somebody else removed it while we looked. */
function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}
