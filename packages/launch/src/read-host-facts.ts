import { exists, isSysError, ops, readText } from "@kata-containers/sys";
import type { CgroupFacts, CgroupHierarchy, HostFacts, SeccompFacts } from "./host-facts.ts";
import { isInUserNamespace } from "./user-namespace.ts";

/** Reads /proc for what the compiler has to know of this machine. `override` decides what only the caller can. */
export function readHostFacts(override: Partial<HostFacts> = {}): HostFacts {
  const mounts = readText("/proc/self/mountinfo");
  const seccomp = readSeccomp();
  return {
    cgroup: parseCgroups(mounts, readText("/proc/self/cgroup"), unifiedControllers),
    rootIsInitramfs: rootType(mounts) === "rootfs",
    lastCapability: Number(readText("/proc/sys/kernel/cap_last_cap")),
    kcore: exists("/proc/kcore"),
    isUser: ops.geteuid() !== 0,
    inUserNamespace: isInUserNamespace(),
    setgroupsDenied: isSetgroupsDenied(),
    // Looked at when asked for: of interest to few containers, and the agent knows better.
    get selinux() {
      return exists("/sys/fs/selinux/enforce");
    },
    get ownCapabilities() {
      return permittedCapabilities(readText("/proc/self/status"));
    },
    get apparmor() {
      return isAppArmorEnabled();
    },
    ...(seccomp === undefined ? {} : { seccomp }),
    ...override,
  };
}

/** @param status text of /proc/self/status: proc_pid_status(5), "CapPrm" */
function permittedCapabilities(status: string): number {
  return Number.parseInt(/^CapPrm:\s*(\w+)/m.exec(status)?.[1] ?? "0", 16);
}

function isSetgroupsDenied(): boolean {
  const path = "/proc/self/setgroups";
  return exists(path) && readText(path).startsWith("deny");
}

function isAppArmorEnabled(): boolean {
  const path = "/sys/module/apparmor/parameters/enabled";
  return exists(path) && readText(path).startsWith("Y");
}

/** seccomp(2), "/proc interfaces": the file is there when the kernel has filters. */
function readSeccomp(): SeccompFacts | undefined {
  try {
    const actions = words(readText("/proc/sys/kernel/seccomp/actions_avail"));
    return { machine: ops.uname().machine, actions };
  } catch (error) {
    if (isSysError(error, "ENOENT")) return undefined;
    throw error;
  }
}

function unifiedControllers(mountpoint: string): string[] {
  try {
    return words(ops.utf8Decode(ops.readFile(`${mountpoint}/cgroup.controllers`, 4096)));
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

/** File system type of the mount on /: the last such line is the visible one. No line: an initramfs whose mount is hidden. */
function rootType(mountinfo: string): string {
  const roots = mountinfo.split("\n").filter((line) => line.split(" ")[4] === "/");
  const last = roots[roots.length - 1];
  return last?.split(" - ")[1]?.split(" ")[0] ?? "rootfs";
}

/**
 * Finds the cgroup hierarchies: proc_pid_mountinfo(5) tells where, cgroups(7) ("/proc/pid/cgroup") tells which and our place.
 *
 * @param mountinfo text of /proc/self/mountinfo
 * @param membership text of /proc/self/cgroup
 */
export function parseCgroups(
  mountinfo: string,
  membership: string,
  controllersOf: (mountpoint: string) => readonly string[],
): CgroupFacts {
  const own = new Map(
    membership.split("\n").flatMap((line) => {
      const [, controllers, ...path] = line.split(":");
      return controllers === undefined ? [] : [[controllers, path.join(":")] as const];
    }),
  );
  const v1: CgroupHierarchy[] = [];
  let v2: CgroupHierarchy | undefined;
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root = "/", mountpoint = ""] = left.split(" ");
    const [fstype, , superOptions = ""] = right.split(" ");
    if (fstype === "cgroup2" && v2 === undefined) {
      v2 = { mountpoint, controllers: controllersOf(mountpoint), ownPath: below(root, own.get("") ?? "/") };
    }
    if (fstype !== "cgroup") continue;
    const options = new Set(superOptions.split(","));
    const entry = [...own].find(
      ([names]) => names !== "" && names.split(",").every((name) => options.has(name)),
    );
    if (entry === undefined || v1.some((known) => known.controllers.join() === entry[0])) continue;
    v1.push({ mountpoint, controllers: entry[0].split(","), ownPath: below(root, entry[1]) });
  }
  return v2 === undefined ? { v1 } : { v1, v2 };
}

/** A cgroup's path as seen from the mount, whose root may be a cgroup itself (a container's view). */
function below(root: string, path: string): string {
  if (root === "/" || !path.startsWith(root)) return path;
  return path.slice(root.length) || "/";
}

function words(text: string): string[] {
  return text.trim().split(" ");
}
