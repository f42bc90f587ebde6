import { checkCgroupsEmpty } from "@kata-containers/launch";
import { KataError } from "@kata-containers/sys";
import { OWNER_ROOT } from "../paths.ts";
import { hostHierarchies } from "../resource/cgroup.ts";
import { cgroupClaims, releaseCgroup } from "../resource/cgroup-claim.ts";
import { guessRecord } from "./new-record.ts";
import { isAlive } from "./process-identity.ts";
import { undoFromRecord } from "./undo.ts";

/**
 * Removes what is left of sandboxes in memory whose program and daemon were both killed: nobody has their records, but their claims
 * name them. What still has a process, as that of a daemon that has yet to see its program's end, is let alone, and what cannot be
 * removed is left to the next call.
 */
export async function removeAbandoned(): Promise<void> {
  for (const { claim, owner } of cgroupClaims()) {
    const sandbox = abandonedSandbox(owner);
    if (sandbox === undefined) continue;
    try {
      await removeLeftovers(sandbox);
      releaseCgroup(claim, owner);
    } catch (error) {
      if (!(error instanceof KataError)) throw error;
    }
  }
}

type Place = { readonly root: string; readonly id: string };

/** Of an owner that is a sandbox in memory: undefined while its program lives. */
function abandonedSandbox(owner: string): Place | undefined {
  const [, root = "", pid, startTime, id = ""] = OWNER.exec(owner) ?? [];
  if (id === "" || isAlive({ pid: Number(pid), startTime: Number(startTime) })) return undefined;
  return { root, id };
}

const OWNER = new RegExp(`^(${OWNER_ROOT}(\\d+)-(\\d+))/([^/]+)$`);

/** @throws KataError FailedPrecondition while something lives in its cgroups */
async function removeLeftovers({ root, id }: Place): Promise<void> {
  const left = guessRecord(root, id);
  const cgroups = left.resources.filter((each) => each.kind === "cgroup");
  checkCgroupsEmpty(hostHierarchies().flatMap(({ mount }) => cgroups.map(({ path }) => mount + path)));
  await undoFromRecord(left);
}
