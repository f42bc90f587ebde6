import type { CpuLimits, MemoryLimits, Resources } from "@kata-containers/oci";
import { exists, isSysError, KataError, writeText } from "@kata-containers/sys";
import { readFile, v1Directory, v2Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import { limitFiles } from "./limit-files.ts";

const MEMORY_FILES = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];

/**
 * Changes the limits of a container that is there. What is not given stays as it is, and what is 0, which means the same (setting.ts).
 * @param kernel whose it is, for errors
 * @returns the limits with what had to be known of the present ones: of memory for swap, of one half of cpu.max for the other
 * @throws KataError InvalidArgument, Unimplemented before anything is changed; the kernel's refusal by file and value
 */
export function updateLimits(
  resources: Resources,
  places: readonly CgroupPlace[],
  kernel = "the kernel",
): Resources {
  const { memory, cpu } = resources;
  const whole: Resources = {
    ...resources,
    ...(memory === undefined ? {} : { memory: wholeMemory(memory, places) }),
    ...(cpu === undefined ? {} : { cpu: wholeCpu(cpu, places) }),
  };
  if (memory?.checkBeforeUpdate) checkUsage(memory, places);
  for (const { path, text, or, optional } of inOrder(limitFiles(whole, places))) {
    if (optional && !exists(path)) continue;
    if (or === undefined || exists(path)) writeLimit(path, text, kernel);
    else writeLimit(or.path, or.text, kernel);
  }
  return whole;
}

/** v2's cpu.max holds quota and period: who changes one must not change the other. */
function wholeCpu(cpu: CpuLimits, places: readonly CgroupPlace[]): CpuLimits {
  const v2 = v1Directory(places, "cpu") === undefined ? v2Directory(places) : undefined;
  if (v2 === undefined || Boolean(cpu.quota) === Boolean(cpu.period)) return cpu;
  const [quota = "max", period = "100000"] = readFile(`${v2}/cpu.max`).trim().split(" ");
  return {
    ...cpu,
    quota: cpu.quota || (quota === "max" ? -1 : Number(quota)),
    period: cpu.period || Number(period),
  };
}

/**
 * "Memory and swap" is one number in the specification. v2 limits swap alone, so the memory limit must be known, and
 * unlimited memory means unlimited swap unless it is said otherwise, on either version (as runc).
 */
function wholeMemory(memory: MemoryLimits, places: readonly CgroupPlace[]): MemoryLimits {
  const { limit = 0, swap = 0 } = memory;
  if (limit === -1 && swap === 0) return { ...memory, swap: -1 };
  if (swap > 0 && limit > 0 && swap < limit)
    throw new KataError("InvalidArgument", "memory+swap limit should be >= memory limit");
  const v2 = v1Directory(places, "memory") === undefined ? v2Directory(places) : undefined;
  if (v2 === undefined || swap <= 0 || limit > 0) return memory;
  const current = readFile(`${v2}/memory.max`).trim();
  if (limit === -1 || !/^\d+$/.test(current))
    throw new KataError("InvalidArgument", "unable to set swap limit without memory limit");
  if (swap < Number(current))
    throw new KataError("InvalidArgument", "memory+swap limit should be >= memory limit");
  return { ...memory, limit: Number(current) };
}

/** v2's memory.max takes a limit below the usage, and the kernel kills for it (config-linux.md, "checkBeforeUpdate"). */
function checkUsage({ limit = 0 }: MemoryLimits, places: readonly CgroupPlace[]): void {
  const v2 = v1Directory(places, "memory") === undefined ? v2Directory(places) : undefined;
  if (v2 === undefined || limit <= 0) return;
  const usage = Number(readFile(`${v2}/memory.current`));
  if (usage > limit)
    throw new KataError("InvalidArgument", `memory limit ${limit} is below the usage, ${usage}`);
}

/** v1: "memory and swap" may never be below "memory", not for a moment: raised first, lowered last. */
function inOrder(files: ReturnType<typeof limitFiles>): ReturnType<typeof limitFiles> {
  const [limit, both] = MEMORY_FILES.map((name) => files.find(({ path }) => path.endsWith(`/${name}`)));
  if (limit === undefined || both === undefined) return files;
  const current = Number(readFile(both.path));
  const raises = both.text === "-1" || (limit.text !== "-1" && Number(limit.text) > current);
  if (!raises) return files;
  const others = files.filter((file) => file !== limit && file !== both);
  return [both, limit, ...others];
}

function writeLimit(path: string, text: string, kernel: string): void {
  try {
    writeText(path, text);
  } catch (error) {
    if (!isSysError(error)) throw error;
    const file = path.slice(path.lastIndexOf("/") + 1);
    throw KataError.from(error, `${kernel} refuses ${file} = ${text}`);
  }
}
