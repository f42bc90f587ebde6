import { exists, isSysError, KataError, O, ops, readText, sleep } from "@kata-containers/sys";
import { identityOf, killIdentity } from "../persist/process-identity.ts";

/** One mounted cgroup hierarchy: cgroup v2's, or one of v1's with its controllers. */
export type Hierarchy = {
  readonly mount: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
};

/**
 * Reads the hierarchies out of /proc/self/mountinfo (proc(5)); v1, v2 and hybrid hosts alike, with systemd's own of v1, by which it
 * knows whose a process is. Other v1 hierarchies without a controller are left out.
 */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const mount = before?.split(" ")[4];
    const [type, , options] = after?.split(" ") ?? [];
    if (mount === undefined || found.some((each) => each.mount === mount)) continue;
    if (type === "cgroup2") found.push({ mount, version: 2, controllers: [] });
    const controllers = (options ?? "").split(",").filter((each) => V1_NAMES.has(each));
    if (type === "cgroup" && controllers.length > 0) found.push({ mount, version: 1, controllers });
  }
  return found;
}

/** Documentation/admin-guide/cgroup-v1: the names among a v1 mount's options that are controllers, and systemd's hierarchy. */
const V1_NAMES = new Set([
  "name=systemd",
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
  "hugetlb",
  "net_cls",
  "net_prio",
  "perf_event",
  "rdma",
  "misc",
]);

export function hostHierarchies(): Hierarchy[] {
  return parseHierarchies(readText("/proc/self/mountinfo", 4 << 20));
}

/** The pair of cgroups of a sandbox, as paths below every hierarchy's mount point. */
export type SandboxCgroups = {
  /** Holds the VMM, virtiofsd and kata-shim. */
  readonly sandbox: string;
  /** The daemon's own, a sibling: a limit on the sandbox must not hit the process that manages it. */
  readonly daemon: string;
};

/** A scope of systemd's, delegated to the sandbox that is in it. */
export type SandboxScope = {
  /** "docker-0123.scope" */
  readonly unit: string;
  /** Its cgroup, below every hierarchy's mount point: "/system.slice/docker-0123.scope". */
  readonly path: string;
};

/** Where a sandbox's cgroups are in a scope: whoever makes cgroups outside of one would meddle with systemd's own. */
export function scopeCgroups({ path }: SandboxScope): SandboxCgroups {
  return { sandbox: `${path}/sandbox`, daemon: `${path}/daemon` };
}

/**
 * Where a sandbox's cgroups are. `cgroupsPath` is the OCI spec's: absolute or relative (taken from the root).
 * @param hash the sandbox's (see `sandboxHash`), which names them when the spec does not.
 */
export function sandboxCgroups(cgroupsPath: string | undefined, hash: string): SandboxCgroups {
  const sandbox = cgroupsPath ? cleanPath(cgroupsPath) : `/kata_${hash}`;
  const parent = sandbox.slice(0, sandbox.lastIndexOf("/"));
  return { sandbox, daemon: `${parent}/kata_daemon_${hash}` };
}

function cleanPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0 || parts.includes("..")) {
    throw new KataError("InvalidArgument", `linux.cgroupsPath "${path}": must name a cgroup below the root`);
  }
  return `/${parts.join("/")}`;
}

/** Whether the cgroup is there in any hierarchy: then somebody else made it, and it is not ours to remove. */
export function cgroupExists(path: string, hierarchies: readonly Hierarchy[] = hostHierarchies()): boolean {
  return hierarchies.some((each) => exists(each.mount + path));
}

/** The path of the cgroup of that name, wherever in the hierarchies it is. */
export function findCgroup(name: string): string | undefined {
  for (const { mount } of hostHierarchies()) {
    const left = [""];
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const below = directoriesIn(mount + path).map((each) => `${path}/${each}`);
      const found = below.find((each) => each.endsWith(`/${name}`));
      if (found !== undefined) return found;
      left.push(...below);
    }
  }
  return undefined;
}

function directoriesIn(directory: string): string[] {
  try {
    const entries = ops.readdir(directory);
    return entries.filter(({ type }) => type === "dir").map(({ name }) => name);
  } catch (error) {
    // It has gone meanwhile.
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Makes the cgroup in every hierarchy. No limit is set: a container's limits hold in the guest, and the VM's size
 * bounds its memory.
 * @returns the `cgroup.procs` files to write a pid to.
 */
export function createCgroup(path: string, hierarchies: readonly Hierarchy[] = hostHierarchies()): string[] {
  return hierarchies.map((hierarchy) => {
    let made = hierarchy.mount;
    for (const part of path.split("/").filter(Boolean)) {
      const parent = made;
      made += `/${part}`;
      if (makeDir(made) && hierarchy.controllers.includes("cpuset")) inheritCpuset(parent, made);
    }
    return `${made}/cgroup.procs`;
  });
}

/** A v1 cpuset starts empty and takes no process until it has CPUs and memory nodes. */
function inheritCpuset(parent: string, child: string): void {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) {
    const value = readText(`${parent}/${name}`, 65536).trim();
    ops.writeFile(`${child}/${name}`, ops.utf8Encode(value), O.WRONLY, 0);
  }
}

export function joinCgroup(procsFiles: readonly string[], pid: number): void {
  for (const file of procsFiles) ops.writeFile(file, ops.utf8Encode(String(pid)), O.WRONLY, 0);
}

/**
 * Where this process is in every hierarchy: the `cgroup.procs` files to go back by.
 * @param membership text of /proc/self/cgroup (cgroups(7)): "4:cpu,cpuacct:/path", of v2 "0::/path"
 */
export function ownProcsFiles(hierarchies: readonly Hierarchy[], membership: string): string[] {
  return membership.split("\n").flatMap((line) => {
    const [, names = "", ...path] = line.split(":");
    const [first = ""] = names.split(",");
    const found = hierarchies.find(({ version, controllers }) =>
      first === "" ? version === 2 : controllers.includes(first),
    );
    return found === undefined || path.length === 0 ? [] : [`${found.mount}${path.join(":")}/cgroup.procs`];
  });
}

/** Moves this process to the root of every hierarchy, so that the cgroup it was in can be removed. */
export function leaveCgroup(): void {
  joinCgroup(
    hostHierarchies().map((each) => `${each.mount}/cgroup.procs`),
    ops.getpid(),
  );
}

/** Kills every process in the cgroup and waits for their ends. */
export async function killCgroup(path: string): Promise<void> {
  const self = ops.getpid();
  for (const hierarchy of hostHierarchies()) {
    for (const pid of processesIn(hierarchy.mount + path)) {
      const identity = pid === self ? undefined : identityOf(pid);
      if (identity !== undefined) await killIdentity(identity);
    }
  }
}

function processesIn(dir: string): number[] {
  try {
    return readText(`${dir}/cgroup.procs`, 4 << 20)
      .split("\n")
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Whether a process is in the cgroup or in one below it, in any hierarchy. */
export function isPopulated(path: string, hierarchies: readonly Hierarchy[] = hostHierarchies()): boolean {
  return hierarchies.some((hierarchy) => {
    const directory = hierarchy.mount + path;
    const below = () => directoriesIn(directory).map((name) => `${path}/${name}`);
    return processesIn(directory).length > 0 || below().some((each) => isPopulated(each, [hierarchy]));
  });
}

/** How long a cgroup may stay busy after its last process has ended (the kernel lets go of a task a little after its exit). */
const REMOVE_TRIES = 50;
const REMOVE_INTERVAL_MS = 4;

/** Removes the cgroup from every hierarchy; its parents stay. */
export async function removeCgroup(path: string): Promise<void> {
  for (const hierarchy of hostHierarchies()) await removeDir(hierarchy.mount + path);
}

async function removeDir(dir: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return ops.rmdir(dir);
    } catch (error) {
      if (isMissing(error)) return;
      if (!isSysError(error, "EBUSY") || tries >= REMOVE_TRIES) throw error;
    }
    await sleep(REMOVE_INTERVAL_MS);
  }
}

function makeDir(path: string): boolean {
  try {
    ops.mkdir(path, 0o755);
    return true;
  } catch (error) {
    if (isSysError(error, "EEXIST")) return false;
    throw new KataError("Internal", `cannot create cgroup: ${KataError.from(error).message}`, {
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  return isSysError(error, "ENOENT", "ENODEV");
}
