import { exists, KataError, O, ops, readText } from "@kata-containers/sys";
import {
  checkSystemd,
  ignoredAnnotations,
  parseScopeName,
  refuseScopeName,
  type ScopeName,
  startScope,
  stopScope,
} from "@kata-containers/systemd";
import { hostHierarchies, type SandboxRecord } from "@kata-containers/virtcontainers";
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
  checkSystemd(hostHierarchies().every(({ version }) => version === 2));
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
  const home = ownProcsFile();
  await startScope(scope, `Kata Containers sandbox ${id}`, ops.getpid(), []);
  try {
    return await work();
  } finally {
    ops.writeFile(home, ops.utf8Encode(String(ops.getpid())), O.WRONLY, 0);
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
  if (scope === undefined || isPopulated(cgroups.sandbox.slice(0, cgroups.sandbox.lastIndexOf("/")))) return;
  try {
    await stopScope(scope);
  } catch (error) {
    warn(KataError.from(error).message);
  }
}

/** cgroup.events of Documentation/admin-guide/cgroup-v2.rst: whether it or one below it has a process. */
function isPopulated(cgroup: string): boolean {
  const file = `${unifiedMount()}${cgroup}/cgroup.events`;
  return exists(file) && readText(file).split("\n").includes("populated 1");
}

/** The cgroup.procs of the cgroup that this process is in. */
function ownProcsFile(): string {
  // cgroups(7), /proc/[pid]/cgroup: of v2 "0::/path".
  const line = readText("/proc/self/cgroup")
    .split("\n")
    .find((each) => each.startsWith("0::"));
  if (line === undefined) throw new KataError("Internal", "/proc/self/cgroup: no cgroup v2");
  return `${unifiedMount()}${line.slice("0::".length)}/cgroup.procs`;
}

function unifiedMount(): string {
  const found = hostHierarchies().find(({ version }) => version === 2);
  if (found === undefined) throw new KataError("Internal", "cgroup v2 is not mounted");
  return found.mount;
}
