import { isSysError, KataError, ops, readText } from "@kata-containers/sys";
import {
  annotatedProperties,
  HARMLESS_PROPERTIES,
  hostManager,
  type Property,
  parseScopeName,
  refuseScopeName,
  type ScopeName,
  startScope,
  stopScope,
} from "@kata-containers/systemd";
import {
  hostHierarchies,
  isPopulated,
  joinCgroup,
  ownProcsFiles,
  type SandboxRecord,
} from "@kata-containers/virtcontainers";
import type { Bundle } from "./bundle.ts";

/** A scope, and what annotations ask of it. */
export type WantedScope = ScopeName & { readonly properties: readonly Property[] };

/**
 * The scope that --systemd-cgroup asks for; undefined: cgroups are made through cgroupfs. Nothing is made yet.
 * @throws KataError FailedPrecondition where systemd makes none; InvalidArgument
 */
export function wantedScope(
  systemdCgroup: boolean,
  { spec, path }: Pick<Bundle, "spec" | "path">,
  id: string,
): WantedScope | undefined {
  const { cgroupsPath } = spec.linux ?? {};
  if (!systemdCgroup) {
    refuseScopeName(cgroupsPath, path);
    return undefined;
  }
  hostManager();
  const properties = annotatedProperties(spec.annotations, HARMLESS_PROPERTIES);
  return { ...parseScopeName(cgroupsPath, id, "kata"), properties };
}

/** Makes a sandbox's scope with this process in it. @throws as {@link insideScope} */
export function makeScope(scope: WantedScope, id: string): Promise<void> {
  return startScope(hostManager(), scope, `Kata Containers sandbox ${id}`, ops.getpid(), scope.properties);
}

/**
 * Makes a sandbox's scope and has `work` start a process in it: a scope must have one from the first moment, and that is ours until
 * there is another. When nobody stays in it, it goes by itself.
 * @throws KataError AlreadyExists when systemd has such a unit; Unavailable, DeadlineExceeded, Internal
 */
export async function insideScope<T>(scope: WantedScope, id: string, work: () => Promise<T>): Promise<T> {
  const home = ownProcsFiles(hostHierarchies(), readText("/proc/self/cgroup"));
  await makeScope(scope, id);
  try {
    return await work();
  } finally {
    joinCgroup(home, ops.getpid());
  }
}

/**
 * Has systemd let go of a sandbox's scope, whose processes have ended: the name is free for another sandbox then. A scope that has some is
 * not the sandbox's, whose making failed for that.
 */
export async function releaseScope(
  { scope, cgroups }: Pick<SandboxRecord, "scope" | "cgroups">,
  warn: (message: string) => void,
): Promise<void> {
  if (scope === undefined) return;
  const path = cgroups.sandbox.slice(0, cgroups.sandbox.lastIndexOf("/"));
  if (isPopulated(path)) return;
  try {
    await endScope({ unit: scope, path });
  } catch (error) {
    warn(KataError.from(error).message);
  }
}

/**
 * Ends a scope with what is left in it, in every hierarchy.
 * @throws KataError Unavailable, DeadlineExceeded, Internal: systemd's own words; SysError of rmdir(2)
 */
export async function endScope({ unit, path }: Pick<ScopeName, "unit" | "path">): Promise<void> {
  try {
    await stopScope(hostManager(), unit);
  } finally {
    removeForeign(path);
  }
}

/** systemd removes its scopes from v1's hierarchies that it uses itself: not from that of cpuset, for one. */
function removeForeign(path: string): void {
  for (const { mount, version } of hostHierarchies()) {
    if (version === 2) continue;
    try {
      ops.rmdir(mount + path);
    } catch (error) {
      // In those that it uses it may be at it.
      if (!isSysError(error, "ENOENT", "EBUSY")) throw error;
    }
  }
}
