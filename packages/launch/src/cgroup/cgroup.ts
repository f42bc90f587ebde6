import { isSysError, ops, readText } from "@kata-containers/sys";
import type { CgroupPlace } from "./cgroup-places.ts";

/** The largest file of a control group that is read: memory.numa_stat of a large machine is some KiB. */
const MAX_FILE = 1 << 20;

/**
 * The pids in a control group and in those below it; none when it is gone. A group that the container has made threaded does not
 * say: its processes are told by the one above (cgroup-v2.rst, "Threads").
 */
export function pidsOf(directory: string): number[] {
  try {
    const own = readFile(`${directory}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
    return [...own, ...childrenOf(directory).flatMap(pidsOf)];
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENODEV")) return [];
    throw error;
  }
}

/** Removes a control group and those that were made in it, innermost first. No process may be in them. */
export function removeCgroup(directory: string): void {
  try {
    for (const child of childrenOf(directory)) removeCgroup(child);
    ops.rmdir(directory);
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
}

/** The container's directory in the hierarchy of a v1 controller; undefined when that is v2's, or nobody's. */
export function v1Directory(places: readonly CgroupPlace[], controller: string): string | undefined {
  return places.find((place) => place.version === 1 && place.controllers.includes(controller))?.directory;
}

/** The container's directory in the unified hierarchy. */
export function v2Directory(places: readonly CgroupPlace[]): string | undefined {
  return places.find((place) => place.version === 2)?.directory;
}

/** A file's text; "" when the kernel does not have it. */
export function readFile(path: string): string {
  try {
    return readText(path, MAX_FILE);
  } catch (error) {
    // ENOTSUP: a v2 file that groups of this type, or without its controller, have for show.
    if (isSysError(error, "ENOENT", "ENODEV", "ENOTSUP")) return "";
    throw error;
  }
}

/** As {@link readFile}, of files of one control group in one call, in this order; for figures, which are many. */
export function readFiles<const Names extends readonly string[]>(
  directory: string,
  names: Names,
): { [Name in keyof Names]: string } {
  return ops.readTexts(directory, [...names], MAX_FILE) as { [Name in keyof Names]: string };
}

/** Lines of "name number": memory.stat, cpu.stat, *.events. */
export function flatKeyed(text: string): Map<string, bigint> {
  const entries = new Map<string, bigint>();
  // Few calls a line, and no regular expression: there are hundreds, in a guest that may be emulated.
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf("\n", start);
    if (end === -1) end = text.length;
    const blank = text.indexOf(" ", start);
    if (blank <= start || blank > end) continue;
    const digits = text.slice(blank + 1, end);
    const number = Number(digits);
    if (!Number.isInteger(number)) continue;
    entries.set(text.slice(start, blank), Number.isSafeInteger(number) ? BigInt(number) : BigInt(digits));
  }
  return entries;
}

function childrenOf(directory: string): string[] {
  return ops
    .readdir(directory)
    .filter(({ type }) => type === "dir")
    .map(({ name }) => `${directory}/${name}`);
}
