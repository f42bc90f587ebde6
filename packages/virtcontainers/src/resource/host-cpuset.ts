import type { Resources } from "@kata-containers/oci";
import { exists, KataError, readText, writeText } from "@kata-containers/sys";
import { numbersOf } from "./vm-size.ts";

/** Lists as in cpuset(7), "0-3,7"; "": all that the host has for it. */
interface Cpuset {
  readonly cpus: string;
  readonly mems: string;
}

const NONE: Cpuset = { cpus: "", mems: "" };
const FILES = { cpus: "cpuset.cpus", mems: "cpuset.mems" } as const;

/**
 * The host's CPUs and memory nodes that a sandbox's processes may use, vCPUs and all: those of its containers' cpusets together, as
 * upstream has it. A container without one does not count.
 */
export class HostCpuset {
  /** The sandbox's cgroup, in each hierarchy. */
  readonly #directories: readonly string[];
  readonly #cpusets = new Map<string, Cpuset>();
  #written = NONE;

  /** @param procsFiles the `cgroup.procs` of the sandbox's cgroup, one a hierarchy */
  constructor(procsFiles: readonly string[]) {
    this.#directories = procsFiles.map((file) => file.slice(0, file.lastIndexOf("/")));
  }

  /**
   * Of a new container, or of one whose limits change; what `cpu` does not speak of stays as it was.
   * @throws KataError InvalidArgument for what is no list; the kernel's reason for CPUs that the host does not have. Without effect then
   */
  fit(id: string, cpu: Resources["cpu"]): void {
    const before = this.#cpusets.get(id);
    const wanted = { cpus: cpu?.cpus || before?.cpus || "", mems: cpu?.mems || before?.mems || "" };
    this.#cpusets.set(id, wanted);
    try {
      this.#apply();
    } catch (error) {
      if (before === undefined) this.#cpusets.delete(id);
      else this.#cpusets.set(id, before);
      throw error;
    }
  }

  /** Of a container that has ended: the sandbox has those of the others. */
  forget(id: string): void {
    if (!this.#cpusets.delete(id)) return;
    try {
      this.#apply();
    } catch {
      // The others may use more than they need, or the cgroup is gone with its processes.
    }
  }

  #apply(): void {
    const sets = [...this.#cpusets.values()];
    for (const name of ["cpus", "mems"] as const) {
      const list = union(sets, name);
      if (list === this.#written[name]) continue;
      this.#write(name, list);
      this.#written = { ...this.#written, [name]: list };
    }
  }

  #write(name: keyof typeof FILES, list: string): void {
    const file = FILES[name];
    try {
      const directory = this.#directory(file);
      writeText(`${directory}/${file}`, list || inherited(directory, file));
    } catch (error) {
      const what = `linux.resources.cpu.${name}: cannot give the sandbox ${list || "all"} of the host's`;
      throw KataError.from(error, what);
    }
  }

  /** That of v1's hierarchy, or of v2's, where the controller may have to be passed down to it. */
  #directory(file: string): string {
    const isThere = (directory: string) => exists(`${directory}/${file}`);
    const found = this.#directories.find(isThere);
    if (found !== undefined) return found;
    const unified = this.#directories.find((directory) => exists(`${directory}/cgroup.controllers`));
    if (unified === undefined) throw new KataError("Unavailable", "the host has no cpuset controller");
    for (const above of ancestors(unified)) {
      const control = `${above}/cgroup.subtree_control`;
      if (!readText(control).split(/\s/).includes("cpuset")) writeText(control, "+cpuset");
    }
    return unified;
  }
}

function union(sets: readonly Cpuset[], name: keyof Cpuset): string {
  const numbers = sets.flatMap((each) => (each[name] === "" ? [] : numbersOf(name, each[name])));
  return [...new Set(numbers)].sort((one, other) => one - other).join(",");
}

/** What stands for "all": v1 takes no empty set, and has the cgroup above's. */
function inherited(directory: string, file: string): string {
  if (exists(`${directory}/cgroup.controllers`)) return "\n";
  return readText(`${directory.slice(0, directory.lastIndexOf("/"))}/${file}`).trim();
}

/** The cgroups above one of v2, from the root on: the root is where the file system is mounted, and what is above has no such file. */
function ancestors(directory: string): string[] {
  const above = directory.slice(0, directory.lastIndexOf("/"));
  return exists(`${above}/cgroup.subtree_control`) ? [...ancestors(above), above] : [];
}
