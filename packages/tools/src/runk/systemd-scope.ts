import { type CgroupPlace, costWeight, weightOfShares } from "@kata-containers/launch";
import type { Resources, Spec } from "@kata-containers/oci";
import { exists, KataError } from "@kata-containers/sys";
import {
  annotatedProperties,
  changeScope,
  hostManager,
  limitProperties,
  limitPropertiesV1,
  type Manager,
  type Property,
  parseScopeName,
  rootCgroup,
  type ScopeName,
  startScope,
  stopScope,
  userManager,
} from "@kata-containers/systemd";
import type { ContainerRecord } from "./record.ts";
import { warn } from "./report.ts";

const WEIGHTS = { ofShares: weightOfShares, ofBlockIo: costWeight };

/** The slice of a user's scopes, as runc has it: of that user's own systemd. */
const USER_SLICE = "user.slice";

/** A scope that is wanted, the systemd that makes it, and the cgroups that are its, one in each hierarchy. */
export type ContainerScope = {
  readonly name: ScopeName;
  readonly ofUser: boolean;
  readonly cgroups: readonly CgroupPlace[];
};

/**
 * What --systemd-cgroup asks for: the scope that linux.cgroupsPath names.
 * @param ofUser it is to be made by the user's own systemd
 * @throws KataError FailedPrecondition, InvalidArgument; for the user's also Unavailable, DeadlineExceeded
 */
export async function wantedScope(spec: Spec, id: string, ofUser: boolean): Promise<ScopeName> {
  const manager = managerOf(ofUser);
  annotatedProperties(spec.annotations);
  const { cgroupsPath } = spec.linux ?? {};
  if (!ofUser) return parseScopeName(cgroupsPath, id, "runk");
  return parseScopeName(cgroupsPath, id, "runk", { root: await rootCgroup(manager), slice: USER_SLICE });
}

const managerOf = (ofUser: boolean): Manager => (ofUser ? userManager() : hostManager());

/** A user's systemd is handed cgroups of v2 alone. @throws KataError FailedPrecondition */
export function refuseUsersScopeOnV1(cgroups: readonly CgroupPlace[]): void {
  if (cgroups.every(({ version }) => version === 2)) return;
  throw new KataError(
    "FailedPrecondition",
    "a user's systemd makes scopes on cgroup v2 alone, and this host has v1: use the cgroupfs driver",
  );
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
  { name, ofUser, cgroups }: ContainerScope,
  id: string,
  pid: number,
  { linux = {}, annotations }: Spec,
): Promise<void> {
  const properties = [...annotatedProperties(annotations), ...limitsOf(linux.resources ?? {}, cgroups)];
  return startScope(managerOf(ofUser), name, `runk container ${id}`, pid, properties);
}

/** systemd is told of new limits: it would write the old ones again at its next reload. */
export async function changeContainerScope(record: ContainerRecord, resources: Resources): Promise<void> {
  const { scope, scopeOfUser, cgroups } = record;
  if (scope === undefined) return;
  await changeScope(managerOf(scopeOfUser === true), scope, limitsOf(resources, cgroups));
}

function limitsOf(resources: Resources, cgroups: readonly CgroupPlace[]): Property[] {
  const isUnified = cgroups.every(({ version }) => version === 2);
  return isUnified ? limitProperties(resources, WEIGHTS) : limitPropertiesV1(resources);
}

/** Its processes and its cgroup have gone; systemd forgets it sooner or later also by itself. */
export async function stopContainerScope({ scope, scopeOfUser }: ContainerRecord): Promise<void> {
  if (scope === undefined) return;
  try {
    await stopScope(managerOf(scopeOfUser === true), scope);
  } catch (error) {
    warn(KataError.from(error).message);
  }
}
