import { KataError, unlinkIfThere } from "@kata-containers/sys";
import { restoreNamespace } from "../network/redirect.ts";
import { sandboxHash, stateDir } from "../paths.ts";
import { killCgroup, removeCgroup } from "../resource/cgroup.ts";
import { releaseCgroup } from "../resource/cgroup-claim.ts";
import { currentBootId, isAlive, killIdentity } from "./process-identity.ts";
import type { HostResource, SandboxRecord } from "./record.ts";

/** Whether the record's daemon still runs. */
export function daemonAlive(record: SandboxRecord): boolean {
  return (
    record.bootId === currentBootId() &&
    record.resources.some(
      (each) => each.kind === "process" && each.name === "daemon" && isAlive(each.identity),
    )
  );
}

/**
 * Removes from the host all that a record names, in reverse order of making; the record itself and its directory are
 * the store's to remove afterwards. May be called any number of times, at any stage of a half-made sandbox. Kills a
 * process only when its start time matches, and what lives in cgroups that were made for the sandbox.
 * @param self pid of a process in the record that is left alone: the daemon that undoes itself
 * @throws KataError Internal with the first failure, after everything else was tried.
 */
export async function undoFromRecord(record: SandboxRecord, self = 0): Promise<void> {
  const sameBoot = record.bootId === currentBootId();
  let failure: unknown;
  const attempt = async (work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failure ??= error;
    }
  };
  const reversed = record.resources.toReversed();
  if (sameBoot) {
    for (const { identity } of daemonFirst(reversed)) {
      if (identity.pid !== self) await attempt(() => killIdentity(identity));
    }
    for (const each of reversed) if (each.kind === "cgroup") await attempt(() => killCgroup(each.path));
  }
  const left = sameBoot ? reversed : reversed.filter((each) => each.kind !== "network");
  for (const each of left) await attempt(() => release(each, record));
  if (failure !== undefined) {
    throw new KataError("Internal", `cannot undo sandbox ${record.id}: ${KataError.from(failure).message}`, {
      cause: failure,
    });
  }
}

type ProcessResource = Extract<HostResource, { kind: "process" }>;

/** The daemon goes first: while it lives it could start or record more. */
function daemonFirst(resources: readonly HostResource[]): ProcessResource[] {
  const processes = resources.filter((each) => each.kind === "process");
  return [
    ...processes.filter((each) => each.name === "daemon"),
    ...processes.filter((each) => each.name !== "daemon"),
  ];
}

function release(resource: HostResource, { root, id }: SandboxRecord): void | Promise<void> {
  switch (resource.kind) {
    case "process":
      return;
    case "cgroup":
      return removeCgroup(resource.path);
    case "cgroup-claim":
      return releaseCgroup(resource.path, stateDir(root, id));
    case "socket":
      return unlinkIfThere(resource.path);
    case "network":
      // The taps went with the last descriptor of the VMM.
      return restoreNamespace(resource.path, resource.inode, sandboxHash(root, id));
  }
}
