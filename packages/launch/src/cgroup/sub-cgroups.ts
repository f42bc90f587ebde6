import { exists, joinPath, KataError } from "@kata-containers/sys";
import type { CgroupPlace } from "./cgroup-places.ts";

/**
 * Where a process of the container goes that asks for control groups below the container's own (runc's `exec --cgroup`).
 * @param wanted "PATH" for every hierarchy, "CONTROLLER,...:PATH" for some
 * @throws KataError InvalidArgument: no such controller, a path that leads out; NotFound: no such group
 */
export function subCgroups(places: readonly CgroupPlace[], wanted: readonly string[]): CgroupPlace[] {
  const found = [...places];
  for (const text of wanted) {
    const [, controllers, path = ""] = /^(?:([^:/]*):)?(.*)$/s.exec(text) ?? [];
    for (const index of hierarchies(places, controllers)) {
      const place = places[index];
      if (place !== undefined) found[index] = below(place, path);
    }
  }
  return found;
}

/** Indexes of those that are meant. Beside v1, the unified hierarchy has none of the controllers that processes are moved for. */
function hierarchies(places: readonly CgroupPlace[], controllers: string | undefined): number[] {
  const indexes = places.map((_, index) => index);
  if (controllers === undefined) {
    const v1 = indexes.filter((index) => places[index]?.version === 1);
    return v1.length > 0 ? v1 : indexes;
  }
  return controllers.split(",").map((name) => {
    const index = places.findIndex((place) =>
      place.controllers.some((own) => own === name || own === `name=${name}`),
    );
    if (index < 0) throw new KataError("InvalidArgument", `--cgroup: unknown controller ${name}`);
    return index;
  });
}

function below(place: CgroupPlace, path: string): CgroupPlace {
  if (path.split("/").includes(".."))
    throw new KataError("InvalidArgument", `--cgroup ${path}: is not below the container's control group`);
  const relative = joinPath("/", path.replace(/^\/+/, ""));
  const at = (base: string) => (relative === "/" ? base : `${base}${relative}`);
  const directory = at(place.directory);
  if (!exists(directory)) throw new KataError("NotFound", `--cgroup: ${directory} does not exist`);
  return { ...place, path: at(place.path), directory };
}
