import type { OnlineCPUMemRequest } from "@kata-containers/protocols";
import { exists, ops, readText, writeText } from "@kata-containers/sys";
import type { Probe, Uevents } from "../boot/uevents.ts";

// CPUs and memory that the machine got while it ran: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu and
// Documentation/admin-guide/mm/memory-hotplug.rst.

const CPUS = "/sys/devices/system/cpu";
const MEMORY = "/sys/devices/system/memory";
export const MEMORY_PROBE = `${MEMORY}/probe`;

/** Bytes; the file is hexadecimal. 0 when this kernel has no memory hotplug. */
export function memoryBlockSize(): number {
  const file = `${MEMORY}/block_size_bytes`;
  return exists(file) ? Number.parseInt(readText(file), 16) : 0;
}

/** The guest's blocks of memory, online or not: their directories. */
export function memoryBlocks(): string[] {
  return numbered(MEMORY, "memory");
}

interface HotplugParts {
  /** How long the kernel may take to find what was added. */
  readonly timeoutMs: number;
  /** Tells of devices; asked for when somebody waits for one. */
  readonly uevents: () => Pick<Uevents, "waitFor">;
  /** Has the kernel look for devices that it was not told of; returns when those that there are have drivers. */
  readonly findDevices: () => void;
}

/** What the machine gets while it runs. */
export class Hotplug {
  readonly #parts: HotplugParts;

  constructor(parts: HotplugParts) {
    this.#parts = parts;
  }

  /**
   * Brings online `nbCpus` CPUs, the first ones (0: all that there are), and all memory; with `wait`, until there are as many, and
   * `memBlocks` blocks of memory.
   * @throws KataError DeadlineExceeded when they do not appear; SysError when the kernel does not take them
   */
  async online({ wait, nbCpus, cpuOnly, memBlocks }: OnlineCPUMemRequest): Promise<void> {
    const cpus = () => onlineFirst(numbered(CPUS, "cpu"), nbCpus || Number.POSITIVE_INFINITY, "online", "1");
    await this.#reach(wait ? nbCpus : 0, "CPUs", cpus);
    if (cpuOnly) return;
    const blocks = () => onlineFirst(memoryBlocks(), Number.POSITIVE_INFINITY, "state", "online");
    await this.#reach(wait ? memBlocks : 0, "blocks of memory", blocks);
  }

  /** A guest that goes on as another one's copy has devices that nobody tells it of. */
  find(): void {
    this.#parts.findDevices();
  }

  /** Resolves with what `probe` finds, now or when a device has appeared. @throws KataError DeadlineExceeded naming `what` */
  async waitFor<T>(probe: Probe<T>, what: string): Promise<T> {
    const there = probe();
    if (there !== undefined) return there;
    const { timeoutMs, uevents } = this.#parts;
    return await uevents().waitFor(probe, timeoutMs, what);
  }

  async #reach(wanted: number, what: string, bringOnline: () => number): Promise<void> {
    await this.waitFor(() => (bringOnline() >= wanted ? true : undefined), `${wanted} ${what}`);
  }
}

/** @returns how many of the first `most` of them are online now */
function onlineFirst(directories: readonly string[], most: number, file: string, on: string): number {
  const first = directories.slice(0, most);
  for (const directory of first) {
    const path = `${directory}/${file}`;
    const isOnline = () => readText(path).trim() === on;
    // The first CPU has no such file on most machines: it cannot be taken offline.
    if (!exists(path) || isOnline()) continue;
    try {
      writeText(path, on);
    } catch (error) {
      // A kernel that does it by itself was faster.
      if (!isOnline()) throw error;
    }
  }
  return first.length;
}

/** In the order of their numbers. */
function numbered(directory: string, name: string): string[] {
  const pattern = new RegExp(`^${name}(\\d+)$`);
  return ops
    .readdir(directory)
    .flatMap(({ name: entry }) => pattern.exec(entry)?.[1] ?? [])
    .sort((one, other) => Number(one) - Number(other))
    .map((number) => `${directory}/${name}${number}`);
}
