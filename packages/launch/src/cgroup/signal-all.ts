import { isSysError, KataError, ops, SIG } from "@kata-containers/sys";
import { pidsOf } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";
import { freeze, isFrozen, thaw } from "./freezer.ts";

/**
 * Sends a signal to every process of a container's control groups, frozen meanwhile where that can be done, so that none
 * escapes by forking. What was paused stays so, but for SIGKILL, which would not end it.
 */
export async function signalAll(id: string, places: readonly CgroupPlace[], signal: number): Promise<void> {
  const paused = isFrozen(places);
  if (!paused) await freezeIfPossible(id, places);
  try {
    const pids = new Set(places.flatMap(({ directory }) => pidsOf(directory)));
    // Who is outside of our pid namespace is 0, which for kill(2) is our own process group.
    pids.delete(0);
    for (const pid of pids) send(pid, signal);
  } finally {
    if (!paused || signal === SIG.SIGKILL) thawIfPossible(places);
  }
}

/** A control group that is gone, or a machine without a freezer, has nothing to hold still. */
async function freezeIfPossible(id: string, places: readonly CgroupPlace[]): Promise<void> {
  try {
    await freeze(id, places);
  } catch (error) {
    if (!cannotFreeze(error)) throw error;
  }
}

/** The same for letting them run again. */
export function thawIfPossible(places: readonly CgroupPlace[]): void {
  try {
    thaw(places);
  } catch (error) {
    if (!cannotFreeze(error)) throw error;
  }
}

function cannotFreeze(error: unknown): boolean {
  return error instanceof KataError || isSysError(error, "ENOENT", "ENODEV", "EACCES", "EPERM");
}

function send(pid: number, signal: number): void {
  try {
    ops.kill(pid, signal);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}
