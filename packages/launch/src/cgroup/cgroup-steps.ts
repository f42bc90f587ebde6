import type { Resources } from "@kata-containers/oci";
import type { Step } from "../plan.ts";
import { invalid } from "../refuse.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import { deviceFilter } from "./device-filter.ts";
import { deviceRules, deviceWrites } from "./device-rules.ts";
import { type LimitFile, limitFiles } from "./limit-files.ts";
import { settingsOfResources } from "./settings.ts";

const ENOENT = 2;
/** EPERM, EACCES, EROFS; ENOENT: in a cgroup that could not be made. */
const FORBIDDEN = [1, 13, 30, ENOENT];

const write = (path: string, text: string): Step => ({ op: "write", path, text });

/**
 * Makes the container's cgroups, sets their limits, and moves the running process in, in this order.
 * @param rootless without limits to set, what we may not do is left out; and rules of devices, which need the host's root (as runc). A user may
 *   not hand down controllers where the user's cgroups begin, nor need it: one that is missing lacks the file of its limit
 */
export function cgroupSteps(places: readonly CgroupPlace[], resources: Resources, rootless = false): Step[] {
  const settings = settingsOfResources(resources);
  const isLimited = settings.length > 0 || Object.keys(resources.unified ?? {}).length > 0;
  if (rootless && !isLimited) {
    const steps = [...places.flatMap((place) => makeSteps(place, new Set())), ...joinSteps(places)];
    return steps.map((step) => ({ ...step, ignore: [...FORBIDDEN, ...(step.ignore ?? [])] }));
  }
  const needed = new Set([
    ...settings.map(({ v1Controller, v2Controller }) => v2Controller ?? v1Controller),
    ...Object.keys(resources.unified ?? {}).map((name) => name.slice(0, name.indexOf("."))),
  ]);
  return [
    ...places.flatMap((place) => makeSteps(place, needed, rootless)),
    ...limitFiles(resources, places).map(limitStep),
    ...deviceSteps(resources, places).map((step) => (rootless ? { ...step, ignore: FORBIDDEN } : step)),
    ...joinSteps(places),
  ];
}

function limitStep({ where: _, optional, ...written }: LimitFile): Step {
  return { op: "write", ...written, ...(optional ? { ignore: [ENOENT] } : {}) };
}

/**
 * Moves the process that runs these steps into the container's cgroups: `exec`.
 * @param rootless what we may not do is left out
 */
export function joinSteps(places: readonly CgroupPlace[], rootless = false): Step[] {
  const ignore = rootless ? { ignore: FORBIDDEN } : {};
  return places.map((place) => ({ ...write(`${place.directory}/cgroup.procs`, "0"), ...ignore }));
}

function makeSteps(place: CgroupPlace, needed: ReadonlySet<string>, rootless = false): Step[] {
  const mkdir: Step = { op: "mkdir", path: place.directory, mode: 0o755 };
  if (place.version === 2) return [mkdir, ...enableSteps(place, needed, rootless)];
  if (!place.controllers.includes("cpuset")) return [mkdir];
  return [mkdir, { op: "inherit_cpuset", base: place.mountpoint, path: place.directory }];
}

/** Whose figures managers ask for, limits or not, and whose limits they set later: `docker stats`, `docker update`. */
const COMMON = ["cpu", "cpuset", "io", "memory", "pids"];
/** EPERM, ENOENT, EACCES, EBUSY, EINVAL, EROFS, EOPNOTSUPP: an ancestor that does not hand a controller down. */
const NOT_HANDED_DOWN = [1, 2, 13, 16, 22, 30, 95];

/** A v2 controller is there when every ancestor hands it down (cgroup-v2.rst, "Enabling and Disabling"). */
function enableSteps(place: CgroupPlace, needed: ReadonlySet<string>, rootless: boolean): Step[] {
  const parts = place.path.split("/").filter((part) => part !== "");
  const ancestors = parts.map((_, depth) => [place.mountpoint, ...parts.slice(0, depth)].join("/"));
  const enabled = place.controllers.filter((name) => needed.has(name) || COMMON.includes(name));
  return ancestors.flatMap((directory) =>
    enabled.map((name) => ({
      ...write(`${directory}/cgroup.subtree_control`, `+${name}`),
      ...(needed.has(name) && !rootless ? {} : { ignore: NOT_HANDED_DOWN }),
    })),
  );
}

/** v1 has a controller for devices, v2 a BPF program. Without both only what allows everything can be had. */
function deviceSteps(resources: Resources, places: readonly CgroupPlace[]): Step[] {
  const rules = deviceRules(resources.devices ?? []);
  const v1 = places.find((place) => place.version === 1 && place.controllers.includes("devices"));
  if (v1 !== undefined)
    return deviceWrites(rules).map(({ file, rule }) => write(`${v1.directory}/${file}`, rule));
  const program = deviceFilter(rules);
  if (program === undefined) return [];
  const v2 = places.find((place) => place.version === 2);
  if (v2 !== undefined) return [{ op: "device_filter", cgroup: v2.directory, program }];
  if (resources.devices === undefined) return [];
  return invalid(
    "linux.resources.devices",
    "needs cgroup v2 or the v1 controller devices, which this system has not",
  );
}
