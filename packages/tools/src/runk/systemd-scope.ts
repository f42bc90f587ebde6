import { type CgroupPlace, costWeight, weightOfShares } from "@kata-containers/launch";
import type { Resources, Spec } from "@kata-containers/oci";
import { exists, KataError } from "@kata-containers/sys";
import {
  changeScope,
  checkSystemd,
  ignoredAnnotations,
  limitProperties,
  limitPropertiesV1,
  type Property,
  parseScopeName,
  type ScopeName,
  startScope,
  stopScope,
} from "@kata-containers/systemd";
import { warn } from "./report.ts";

const WEIGHTS = { ofShares: weightOfShares, ofBlockIo: costWeight };

/** A scope and the cgroups that are its, one in each hierarchy. */
export type ContainerScope = { readonly name: ScopeName; readonly cgroups: readonly CgroupPlace[] };

/** What --systemd-cgroup asks for: the scope that linux.cgroupsPath names. @throws KataError FailedPrecondition, InvalidArgument */
export function wantedScope(spec: Spec, id: string): ScopeName {
  checkSystemd();
  for (const annotation of ignoredAnnotations(spec.annotations))
    warn(`annotations: ${annotation}: without effect on the scope`);
  return parseScopeName(spec.linux?.cgroupsPath, id, "runk");
}

/** What fails after this stops the scope, which so must not be another's. @throws KataError FailedPrecondition */
export function refuseUsedScope({ unit }: ScopeName, cgroups: readonly CgroupPlace[]): void {
  for (const { directory } of cgroups) {
    if (exists(directory))
      throw new KataError(
        "FailedPrecondition",
        `container's cgroup is not empty: ${unit} is there already: give linux.cgroupsPath another name`,
      );
  }
}

/** Makes the container's scope with its first process in it. */
export function startContainerScope(
  { name, cgroups }: ContainerScope,
  id: string,
  pid: number,
  { linux = {} }: Spec,
): Promise<void> {
  return startScope(name, `runk container ${id}`, pid, limitsOf(linux.resources ?? {}, cgroups));
}

/** systemd is told of new limits: it would write the old ones again at its next reload. */
export function changeContainerScope(
  unit: string,
  resources: Resources,
  cgroups: readonly CgroupPlace[],
): Promise<void> {
  return changeScope(unit, limitsOf(resources, cgroups));
}

function limitsOf(resources: Resources, cgroups: readonly CgroupPlace[]): Property[] {
  const isUnified = cgroups.every(({ version }) => version === 2);
  return isUnified ? limitProperties(resources, WEIGHTS) : limitPropertiesV1(resources);
}

/** Its processes and its cgroup have gone; systemd forgets it sooner or later also by itself. */
export async function stopContainerScope(unit: string): Promise<void> {
  try {
    await stopScope(unit);
  } catch (error) {
    warn(KataError.from(error).message);
  }
}
