import { readFile } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

/**
 * Where a further process of a container enters its control groups. One of v2's that hands controllers down takes no process (EBUSY;
 * cgroup-v2.rst, "No Internal Process Constraint"): a systemd or a docker in the container makes its own such. It is the first
 * process's then, as with runc.
 * @param pid the container's first process
 */
export function entryPlaces(places: readonly CgroupPlace[], pid: number): CgroupPlace[] {
  return places.map((place) => (place.version === 2 ? entryOf(place, pid) : place));
}

function entryOf(place: CgroupPlace, pid: number): CgroupPlace {
  if (readFile(`${place.directory}/cgroup.subtree_control`).trim() === "") return place;
  const path = /^0::(\/.*)$/m.exec(readFile(`/proc/${pid}/cgroup`))?.[1];
  // It never leads out of the container's, whatever that has done, or whoever has its pid now.
  if (path === undefined || !path.startsWith(`${place.path}/`)) return place;
  return { ...place, path, directory: `${place.directory}${path.slice(place.path.length)}` };
}
