import { type CgroupPlace, isFrozen, runLaterHooks, thawIfPossible } from "@kata-containers/launch";
import { type Fd, ops, SIG } from "@kata-containers/sys";
import { removeCgroups } from "./cgroup-removal.ts";
import { openProcess } from "./container-process.ts";
import { unmountRoot } from "./host-mount.ts";
import type { ContainerRecord, RecordDirectory } from "./record.ts";
import { warn } from "./report.ts";
import { stopContainerScope } from "./systemd-scope.ts";

/** Kills what is left of a container and removes everything that is recorded of it, the record last; then the poststop hooks run. */
export async function destroyContainer(
  directory: RecordDirectory,
  record: ContainerRecord | undefined,
): Promise<void> {
  if (record !== undefined) {
    using process = openProcess(record);
    if (process !== undefined) await kill(process, record.cgroups);
    await removeCgroups(record.cgroups);
    await stopContainerScope(record);
    if (record.hostMount !== undefined) unmountRoot(record.hostMount);
  }
  directory.remove();
  if (record?.hooks === undefined) return;
  const container = { ...record, annotations: record.annotations ?? {} };
  await runLaterHooks("poststop", record.hooks.poststop, container, 0, warn);
}

/** A process of v1's freezer is dead only when it runs again. */
async function kill(process: Fd, cgroups: readonly CgroupPlace[]): Promise<void> {
  ops.pidfdSendSignal(process.number, SIG.SIGKILL);
  if (isFrozen(cgroups)) thawIfPossible(cgroups);
  await ops.pidfdEnded(process.number);
}
