import type { Resources } from "@kata-containers/oci";
import { invalid } from "../refuse.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import type { Setting, SettingFile } from "./setting.ts";
import { settingsOfResources } from "./settings.ts";

/** What one limit writes, and where. */
export type LimitFile = {
  /** Where the limit stands in config.json, for errors. */
  readonly where: string;
  readonly path: string;
  readonly text: string;
  /** What is written where the kernel has no such file. */
  readonly or?: { readonly path: string; readonly text: string };
  /** Not every kernel has it: nothing is written then. */
  readonly optional?: true;
};

/**
 * The files that hold these limits in a container's cgroups, in an order that the kernel accepts for new ones. Pure.
 *
 * @throws KataError InvalidArgument, Unimplemented: a limit that these cgroups cannot express.
 */
export function limitFiles(resources: Resources, places: readonly CgroupPlace[]): LimitFile[] {
  const limits = settingsOfResources(resources).map((setting) => limitFile(setting, places));
  return [...limits, ...unifiedFiles(resources, places)];
}

/** Files of cgroup v2 that are named as they are. */
function unifiedFiles({ unified = {} }: Resources, places: readonly CgroupPlace[]): LimitFile[] {
  const v2 = places.find((place) => place.version === 2);
  return Object.entries(unified).map(([file, text]) => {
    const where = `linux.resources.unified.${file}`;
    if (v2 === undefined) return invalid(where, "needs cgroup v2");
    if (file.includes("/") || !file.includes(".")) return invalid(where, "is not the name of a cgroup file");
    return { where, path: `${v2.directory}/${file}`, text };
  });
}

/** The file of one limit: v1's where a v1 hierarchy has the controller, else v2's. */
function limitFile(setting: Setting, places: readonly CgroupPlace[]): LimitFile {
  const { where } = setting;
  const v1 = places.find((place) => place.version === 1 && place.controllers.includes(setting.v1Controller));
  if (v1 !== undefined) {
    if (setting.v1 === undefined) return invalid(where, "cannot be set with cgroup v1");
    return { where, ...fileIn(v1.directory, setting.v1) };
  }
  const controller = setting.v2Controller ?? setting.v1Controller;
  const v2 = places.find((place) => place.version === 2 && place.controllers.includes(controller));
  if (v2 === undefined)
    return invalid(where, `needs the cgroup controller ${controller}, which this system has not`);
  if (setting.v2 === undefined) return invalid(where, "cannot be set with cgroup v2");
  if (typeof setting.v2 === "string") return invalid(where, `cannot be set with cgroup v2 ${setting.v2}`);
  return { where, ...fileIn(v2.directory, setting.v2) };
}

function fileIn(directory: string, { file, text, or, optional }: SettingFile): Omit<LimitFile, "where"> {
  const path = `${directory}/${file}`;
  return {
    path,
    text,
    ...(or === undefined ? {} : { or: fileIn(directory, or) }),
    ...(optional === undefined ? {} : { optional }),
  };
}
