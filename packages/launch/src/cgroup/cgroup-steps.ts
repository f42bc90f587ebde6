import type { Resources } from "@kata-containers/oci";
import type { HostFacts } from "../host-facts.ts";
import type { Step } from "../plan.ts";
import { invalid } from "../refuse.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import { deviceRules } from "./device-rules.ts";
import { limitFile } from "./limit-files.ts";
import { settingsOfResources } from "./settings.ts";

const write = (path: string, text: string): Step => ({ op: "write", path, text });

/** Makes the container's cgroups, sets their limits, and moves the running process in, in this order. */
export function cgroupSteps(
  places: readonly CgroupPlace[],
  resources: Resources,
  facts: HostFacts,
  warnings: string[],
): Step[] {
  const settings = settingsOfResources(resources);
  const devices = places.find((place) => place.version === 1 && place.controllers.includes("devices"));
  const rules =
    devices === undefined ? withoutRules(resources, facts, warnings) : deviceRules(resources.devices ?? []);
  const needed = new Set(settings.map(({ v1Controller, v2Controller }) => v2Controller ?? v1Controller));
  return [
    ...places.flatMap((place) => makeSteps(place, needed)),
    ...settings.map((setting) => {
      const { path, text } = limitFile(setting, places);
      return write(path, text);
    }),
    ...unifiedSteps(resources, places),
    ...rules.map(({ file, rule }) => write(`${devices?.directory ?? ""}/${file}`, rule)),
    ...joinSteps(places),
  ];
}

/** Moves the process that runs these steps into the container's cgroups: `exec`. */
export function joinSteps(places: readonly CgroupPlace[]): Step[] {
  return places.map((place) => write(`${place.directory}/cgroup.procs`, "0"));
}

function makeSteps(place: CgroupPlace, needed: ReadonlySet<string>): Step[] {
  const mkdir: Step = { op: "mkdir", path: place.directory, mode: 0o755 };
  if (place.version === 2) return [mkdir, ...enableSteps(place, needed)];
  if (!place.controllers.includes("cpuset")) return [mkdir];
  return [mkdir, { op: "inherit_cpuset", base: place.mountpoint, path: place.directory }];
}

/** A v2 controller is there when every ancestor hands it down (cgroup-v2.rst, "Enabling and Disabling"). */
function enableSteps(place: CgroupPlace, needed: ReadonlySet<string>): Step[] {
  const parts = place.path.split("/").filter((part) => part !== "");
  const ancestors = parts.map((_, depth) => [place.mountpoint, ...parts.slice(0, depth)].join("/"));
  const enabled = place.controllers.filter((name) => needed.has(name));
  return ancestors.flatMap((directory) =>
    enabled.map((name) => write(`${directory}/cgroup.subtree_control`, `+${name}`)),
  );
}

function unifiedSteps(resources: Resources, places: readonly CgroupPlace[]): Step[] {
  const entries = Object.entries(resources.unified ?? {});
  const v2 = places.find((place) => place.version === 2);
  return entries.map(([file, text]) => {
    const where = `linux.resources.unified.${file}`;
    if (v2 === undefined) invalid(where, "needs cgroup v2");
    if (file.includes("/") || !file.includes(".")) invalid(where, "is not the name of a cgroup file");
    return write(`${v2.directory}/${file}`, text);
  });
}

/** On v2 device rules are a BPF program. Allowing everything asks for none. */
function withoutRules(
  resources: Resources,
  facts: HostFacts,
  warnings: string[],
): ReturnType<typeof deviceRules> {
  const rules = resources.devices ?? [];
  if (rules.every((rule) => rule.allow)) return [];
  const where = "linux.resources.devices";
  if (facts.devicesOnV2 === "refuse")
    return invalid(where, "needs the cgroup v1 controller devices, which this system has not");
  warnings.push(`${where}: not enforced: this system has no cgroup v1 controller devices`);
  return [];
}
