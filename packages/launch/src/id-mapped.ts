import type { IdMapping, Mount, Spec } from "@kata-containers/oci";
import type { MountOptions } from "./mount-options.ts";
import { mapText } from "./namespaces.ts";
import type { Step } from "./plan.ts";
import { invalid } from "./refuse.ts";

type OpenTree = Extract<Step, { readonly op: "open_tree" }>;

export function isIdMapped(mount: Mount, options: MountOptions): boolean {
  return options.idmap || options.ridmap || hasMappings(mount);
}

/**
 * The source of an id-mapped bind, opened before the container's namespaces are made: a user namespace takes the right away. Its
 * mappings are the mount's own, else those of the container's user namespace (config.md, "Linux mount options").
 */
export function openMapped(
  spec: Spec,
  mount: Mount,
  source: string,
  options: MountOptions,
  index: number,
): OpenTree {
  const where = `mounts[${index}]`;
  return {
    op: "open_tree",
    source,
    recursive: options.recursive,
    map: hasMappings(mount) ? mapOf(mount, where) : containerMap(spec, where),
    mapRecursive: options.ridmap,
    as: `tree-${index}`,
  };
}

function containerMap(spec: Spec, where: string): OpenTree["map"] {
  const user = spec.linux?.namespaces?.find(({ type }) => type === "user");
  if (user === undefined)
    invalid(where, "an id-mapped mount needs mappings of its own, or a user namespace that has them");
  return user.path ? user.path : mapOf(spec.linux ?? {}, "linux");
}

function hasMappings({ uidMappings, gidMappings }: Mount): boolean {
  return (uidMappings?.length ?? 0) + (gidMappings?.length ?? 0) > 0;
}

type Mappings = { readonly uidMappings?: readonly IdMapping[]; readonly gidMappings?: readonly IdMapping[] };

function mapOf({ uidMappings, gidMappings }: Mappings, where: string): OpenTree["map"] {
  return {
    uid: mapText(uidMappings, `${where}.uidMappings`),
    gid: mapText(gidMappings, `${where}.gidMappings`),
  };
}
