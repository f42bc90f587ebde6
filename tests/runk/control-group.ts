import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The host has cgroup v2 alone. */
export const V2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

/** Where a process is: in the unified hierarchy, or in that of a v1 controller. */
export function controlGroupOf(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const own = lines.map((line) => line.split(":")).find(([, name]) => name === (V2 ? "" : controller));
  return join("/sys/fs/cgroup", V2 ? "" : controller, own?.[2] ?? "");
}
