import { isSysError, KataError, ops, readText } from "@kata-containers/sys";
import {
  checkSystemd,
  ignoredAnnotations,
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

/**
 * The scope that --systemd-cgroup asks for; undefined: cgroups are made through cgroupfs. Nothing is made yet.
 * @throws KataError FailedPrecondition where systemd makes none; InvalidArgument
 */
export function wantedScope(
  systemdCgroup: boolean,
  bundle: Pick<Bundle, "spec" | "path">,
  id: string,
  warn: (message: string) => void,
): ScopeName | undefined {
  if (!systemdCgroup) {
    refuseScopeName(bundle.spec.linux?.cgroupsPath, bundle.path);
    return undefined;
  }
  checkSystemd();
  for (const annotation of ignoredAnnotations(bundle.spec.annotations))
    warn(`annotations: ${annotation}: without effect on the scope`);
  return parseScopeName(bundle.spec.linux?.cgroupsPath, id, "kata");
}

/**
 * Makes a sandbox's scope and has `work` start a process in it: a scope must have one from the first moment, and that is ours until
 * there is another. When nobody stays in it, it goes by itself.
 * @throws KataError AlreadyExists when systemd has such a unit; Unavailable, DeadlineExceeded, Internal
 */
export async function insideScope<T>(scope: ScopeName, id: string, work: () => Promise<T>): Promise<T> {
  const home = ownProcsFiles(hostHierarchies(), readText("/proc/self/cgroup"));
  await startScope(scope, `Kata Containers sandbox ${id}`, ops.getpid(), []);
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
    await stopScope(scope);
    removeForeign(path);
  } catch (error) {
    warn(KataError.from(error).message);
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
