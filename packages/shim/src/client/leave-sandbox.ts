import { Daemon } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { type SandboxRecord, type Store, withoutContainer } from "@kata-containers/virtcontainers";
import { connectDaemon } from "./daemon-client.ts";

/**
 * Removes a container from the sandbox that it has joined, or was about to. What the daemon has not heard of, or cannot say any more, is only in
 * the record.
 * @param timeoutMs for the daemon, which asks the guest
 * @throws KataError NotFound when the sandbox's record is gone, and the container's name with it
 */
export async function leaveSandbox(
  store: Store,
  { id: sandboxId, socket }: Pick<SandboxRecord, "id" | "socket">,
  id: string,
  timeoutMs: number,
): Promise<void> {
  if (await isRemovedByDaemon(socket, id, timeoutMs)) return;
  try {
    store.update(sandboxId, (record) => withoutContainer(record, id));
  } finally {
    store.remove(id);
  }
}

async function isRemovedByDaemon(socket: string, id: string, timeoutMs: number): Promise<boolean> {
  try {
    using daemon = await connectDaemon(socket);
    await daemon?.call(Daemon.Delete, { id, force: true }, { timeoutMs });
    return daemon !== undefined;
  } catch (error) {
    if (error instanceof KataError) return false;
    throw error;
  }
}
