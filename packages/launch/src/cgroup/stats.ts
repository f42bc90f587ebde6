import type { CgroupStats, Init } from "@kata-containers/protocols";
import { v1Directory, v2Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import * as v1 from "./stats-v1.ts";
import * as v2 from "./stats-v2.ts";

/** What the control groups of a container count: each controller from the hierarchy that has it. */
export function readStats(places: readonly CgroupPlace[]): Init<CgroupStats> {
  const unified = v2Directory(places);
  const group = unified === undefined ? undefined : v2.readGroup(unified);
  const of = <T>(controller: string, old: (directory: string) => T, current: (group: v2.ReadGroup) => T) => {
    const directory = v1Directory(places, controller);
    if (directory !== undefined) return old(directory);
    return group === undefined ? undefined : current(group);
  };
  return {
    cpuStats: of("cpuacct", (directory) => v1.cpuStats(directory, v1Directory(places, "cpu")), v2.cpuStats),
    memoryStats: of("memory", v1.memoryStats, v2.memoryStats),
    pidsStats: of("pids", v1.pidsStats, v2.pidsStats),
    blkioStats: of("blkio", v1.blkioStats, v2.blkioStats),
    hugetlbStats: of("hugetlb", v1.hugetlbStats, v2.hugetlbStats),
  };
}
