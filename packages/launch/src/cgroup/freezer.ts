import { deadline, Fd, IN, KataError, ops, readText, sleep, writeText } from "@kata-containers/sys";
import { readFile, v1Directory, v2Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

/** How long a container may take to stand still, in milliseconds: a process in an uninterruptible sleep holds it up. */
const FREEZE_MS = 10_000;
/** v1 tells nobody when it is done: ask again, and write again, for a process that forks while it is frozen may escape. */
const V1_RETRY_MS = 5;

/**
 * Stops every process of the control groups, and waits until they stand still (cgroup-v2.rst, "cgroup.freeze";
 * cgroup-v1/freezer-subsystem.rst). What cannot be frozen in time runs on.
 * @throws KataError DeadlineExceeded
 */
export async function freeze(id: string, places: readonly CgroupPlace[]): Promise<void> {
  try {
    const v1 = v1Directory(places, "freezer");
    if (v1 === undefined) await freezeV2(id, unified(places));
    else await freezeV1(id, v1);
  } catch (error) {
    thaw(places);
    throw error;
  }
}

/** Lets them run again; returns at once. */
export function thaw(places: readonly CgroupPlace[]): void {
  const v1 = v1Directory(places, "freezer");
  if (v1 === undefined) writeText(`${unified(places)}/cgroup.freeze`, "0");
  else writeText(`${v1}/freezer.state`, "THAWED");
}

/** Whether they stand still, or are to; false where there is no freezer, or no control group any more. */
export function isFrozen(places: readonly CgroupPlace[]): boolean {
  const v1 = v1Directory(places, "freezer");
  // FREEZING: some stand still already, and whoever was freezing them may have been killed.
  if (v1 !== undefined) return /^FR(OZEN|EEZING)$/m.test(readFile(`${v1}/freezer.state`));
  const v2 = v2Directory(places);
  return v2 !== undefined && readFile(`${v2}/cgroup.freeze`).trim() === "1";
}

async function freezeV2(id: string, directory: string): Promise<void> {
  using watch = new Fd(ops.inotify(`${directory}/cgroup.events`, IN.MODIFY));
  writeText(`${directory}/cgroup.freeze`, "1");
  const frozen = async () => {
    while (!/^frozen 1$/m.test(readText(`${directory}/cgroup.events`))) await ops.read(watch.number, 4096);
  };
  await deadline(frozen(), FREEZE_MS, () => late(id));
}

async function freezeV1(id: string, directory: string): Promise<void> {
  const until = ops.monotonicMs() + FREEZE_MS;
  const file = `${directory}/freezer.state`;
  for (;;) {
    writeText(file, "FROZEN");
    if (readText(file).trim() === "FROZEN") return;
    if (ops.monotonicMs() > until) throw late(id);
    await sleep(V1_RETRY_MS);
  }
}

function unified(places: readonly CgroupPlace[]): string {
  const directory = v2Directory(places);
  if (directory !== undefined) return directory;
  throw new KataError("FailedPrecondition", "there is no freezer: neither cgroup v2 nor v1's controller");
}

function late(id: string): KataError {
  return new KataError(
    "DeadlineExceeded",
    `container ${id} did not stand still within ${FREEZE_MS / 1000} s: it runs on`,
  );
}
