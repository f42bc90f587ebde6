import type { Init, MemoryData } from "@kata-containers/protocols";
import { readFile, v1Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import { memoryData } from "./stats-v1.ts";

/** Figures that the agent's protocol has no fields for. */
export interface MoreStats {
  /** Nanoseconds of each processor; empty with cgroup v2, which does not keep them. */
  readonly percpuKernel: readonly bigint[];
  readonly percpuUser: readonly bigint[];
  /** The cpuset controller's files, by runc's names; with cgroup v2, which has none of the flags, they are all 0 (as runc). */
  readonly cpuset: Readonly<Record<string, number | readonly number[]>>;
  /** TCP buffers, bytes; undefined with cgroup v2. */
  readonly kernelTcp: Required<Init<MemoryData>> | undefined;
}

/** cgroup-v1: cpuacct.rst, cpusets.rst, memory.rst. */
export function readMoreStats(places: readonly CgroupPlace[]): MoreStats {
  const memory = v1Directory(places, "memory");
  return {
    ...percpu(v1Directory(places, "cpuacct")),
    cpuset: cpuset(v1Directory(places, "cpuset")),
    kernelTcp: memory === undefined ? undefined : memoryData(memory, "memory.kmem.tcp"),
  };
}

/** Lines of "cpu user system" behind a header. */
function percpu(directory: string | undefined): Pick<MoreStats, "percpuKernel" | "percpuUser"> {
  const text = directory === undefined ? "" : readFile(`${directory}/cpuacct.usage_all`);
  const rows = text
    .split("\n")
    .map((line) => /^\d+ (\d+) (\d+)$/.exec(line))
    .filter((row) => row !== null);
  return {
    percpuKernel: rows.map((row) => BigInt(row[2] ?? 0)),
    percpuUser: rows.map((row) => BigInt(row[1] ?? 0)),
  };
}

const CPUSET_FLAGS = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
  "sched_relax_domain_level",
] as const;

function cpuset(directory: string | undefined): MoreStats["cpuset"] {
  const file = (name: string) => (directory === undefined ? "" : readFile(`${directory}/cpuset.${name}`));
  const flags = Object.fromEntries(CPUSET_FLAGS.map((name) => [name, Number(file(name))]));
  const { cpu_exclusive = 0, ...others } = flags;
  const [cpus, mems] = [listed(file("cpus")), listed(file("mems"))];
  return {
    ...(cpus.length === 0 ? {} : { cpus }),
    cpu_exclusive,
    ...(mems.length === 0 ? {} : { mems }),
    ...others,
  };
}

/** cpuset(7), "List format": "0-2,5". */
function listed(text: string): number[] {
  return text
    .trim()
    .split(",")
    .filter((range) => range !== "")
    .flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}
