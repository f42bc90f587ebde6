import { type Fd, ops, SIG } from "@kata-containers/sys";
import { removeCgroups } from "./cgroup-removal.ts";
import { openProcess } from "./container-process.ts";
import type { ContainerRecord, RecordDirectory } from "./record.ts";

/** Kills what is left of a container and removes everything that is recorded of it, the record last. */
export async function destroyContainer(
  directory: RecordDirectory,
  record: ContainerRecord | undefined,
): Promise<void> {
  if (record !== undefined) {
    using process = openProcess(record);
    if (process !== undefined) await kill(process);
    await removeCgroups(record.cgroups);
  }
  directory.remove();
}

async function kill(process: Fd): Promise<void> {
  ops.pidfdSendSignal(process.number, SIG.SIGKILL);
  await ops.pidfdEnded(process.number);
}
