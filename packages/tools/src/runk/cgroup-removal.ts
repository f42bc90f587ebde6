import { type CgroupPlace, pidsOf } from "@kata-containers/launch";
import { isSysError, KataError, ops, SIG, sleep } from "@kata-containers/sys";

/** The kernel lets go of a cgroup shortly after its last process has gone: so many tries, twice as long apart each time. */
const TRIES = 12;

/** Kills what is left in a container's cgroups and removes them, with those that the container has made inside. */
export async function removeCgroups(cgroups: readonly CgroupPlace[]): Promise<void> {
  for (const { directory } of cgroups) await removeCgroup(directory);
}

async function removeCgroup(directory: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      for (const child of childrenOf(directory)) await removeCgroup(child);
      ops.rmdir(directory);
      return;
    } catch (error) {
      if (isSysError(error, "ENOENT")) return;
      if (!isSysError(error, "EBUSY") || attempt === TRIES) {
        throw KataError.from(error, `cannot remove cgroup ${directory}`);
      }
    }
    // Who is outside of our pid namespace is 0, which for kill(2) is our own process group.
    for (const pid of pidsOf(directory).filter((each) => each !== 0)) signalProcess(pid, SIG.SIGKILL);
    await sleep(2 ** attempt);
  }
}

function childrenOf(directory: string): string[] {
  const entries = ops.readdir(directory);
  return entries.filter(({ type }) => type === "dir").map(({ name }) => `${directory}/${name}`);
}

function signalProcess(pid: number, signal: number): void {
  try {
    ops.kill(pid, signal);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}
