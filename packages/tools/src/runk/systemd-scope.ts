import { type CgroupFacts, type CgroupPlace, costWeight, weightOfShares } from "@kata-containers/launch";
import type { Resources, Spec } from "@kata-containers/oci";
import { exists, KataError } from "@kata-containers/sys";
import {
  changeScope,
  checkSystemd,
  ignoredAnnotations,
  limitProperties,
  parseScopeName,
  type ScopeName,
  startScope,
  stopScope,
} from "@kata-containers/systemd";
import { warn } from "./report.ts";

const WEIGHTS = { ofShares: weightOfShares, ofBlockIo: costWeight };

/** What --systemd-cgroup asks for: the scope that linux.cgroupsPath names. @throws KataError FailedPrecondition, InvalidArgument */
export function wantedScope(spec: Spec, facts: CgroupFacts, id: string): ScopeName {
  checkSystemd(facts.v2 !== undefined && facts.v1.length === 0);
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
export function startContainerScope(scope: ScopeName, id: string, pid: number, spec: Spec): Promise<void> {
  return startScope(
    scope,
    `runk container ${id}`,
    pid,
    limitProperties(spec.linux?.resources ?? {}, WEIGHTS),
  );
}

/** systemd is told of new limits: it would write the old ones again at its next reload. */
export function changeContainerScope(unit: string, resources: Resources): Promise<void> {
  return changeScope(unit, limitProperties(resources, WEIGHTS));
}

/** Its processes and its cgroup have gone; systemd forgets it sooner or later also by itself. */
export async function stopContainerScope(unit: string): Promise<void> {
  try {
    await stopScope(unit);
  } catch (error) {
    warn(KataError.from(error).message);
  }
}
