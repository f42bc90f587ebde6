import type { CgroupFacts, CgroupHierarchy } from "../host-facts.ts";
import { invalid, unsupported } from "../refuse.ts";

/** A container's cgroup in one hierarchy. */
export type CgroupPlace = {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  readonly mountpoint: string;
  /** From the hierarchy's root: "/kata/abc". */
  readonly path: string;
  /** The cgroup's directory. */
  readonly directory: string;
};

/**
 * Where the container's cgroups are: an absolute cgroupsPath from each hierarchy's root, a relative one (default: the id) from
 * the cgroup we are in, which on v2 is its parent, for a v2 cgroup holds either processes or cgroups (as runc).
 */
export function cgroupPlaces(facts: CgroupFacts, cgroupsPath: string | undefined, id: string): CgroupPlace[] {
  const asked = cgroupsPath === undefined || cgroupsPath === "" ? id : cgroupsPath;
  if (/^[^/:]*:[^/:]*:[^/:]*$/.test(asked))
    unsupported("linux.cgroupsPath", "a systemd name (slice:prefix:name)");
  if (asked.split("/").includes("..")) {
    invalid("linux.cgroupsPath", `must not contain "..": ${asked}`);
  }
  const place = (version: 1 | 2, hierarchy: CgroupHierarchy): CgroupPlace => {
    const own = version === 2 && isMain(hierarchy) ? parentOf(hierarchy.ownPath) : hierarchy.ownPath;
    const path = normalise(asked.startsWith("/") ? asked : `${own}/${asked}`);
    // Whoever deletes the container kills what is in its cgroup: that must not be everybody, nor ourselves.
    if (path === "/" || path === normalise(hierarchy.ownPath)) {
      invalid("linux.cgroupsPath", `is the cgroup of other processes: ${hierarchy.mountpoint}${path}`);
    }
    const { mountpoint, controllers } = hierarchy;
    return { version, controllers, mountpoint, path, directory: `${mountpoint}${path}` };
  };
  const places = facts.v1.map((hierarchy) => place(1, hierarchy));
  return facts.v2 === undefined ? places : [...places, place(2, facts.v2)];
}

/** Beside v1, v2 is often there for systemd alone, and then its cgroups need not be empty to have children. */
function isMain(v2: CgroupHierarchy): boolean {
  return ["cpu", "memory", "pids", "io"].some((name) => v2.controllers.includes(name));
}

function normalise(path: string): string {
  return `/${path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/")}`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
