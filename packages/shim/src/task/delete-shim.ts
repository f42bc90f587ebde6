import { runLaterHooks } from "@kata-containers/launch";
import { Task } from "@kata-containers/protocols";
import { KataError, unlinkIfThere } from "@kata-containers/sys";
import {
  type ContainerRecord,
  createFileStore,
  daemonAlive,
  guessRecord,
  type SandboxRecord,
  type Store,
  undoFromRecord,
} from "@kata-containers/virtcontainers";
import { connectDaemon } from "../client/daemon-client.ts";
import { leaveSandbox } from "../client/leave-sandbox.ts";
import type { ShimArguments } from "./arguments.ts";
import { taskRoot, taskSocket } from "./places.ts";

/** How long a daemon that lives may take to remove a container of its pod, ms: containerd kills `delete` after 5 s (cleanupTimeout). */
const DELETE_MS = 2_500;
/** How long a shim without a sandbox may take to answer, ms. */
const SHUTDOWN_MS = 1_000;

/**
 * containerd's `delete`: removes what is left of a container whose shim is gone or does not answer, by the record alone, whatever happened.
 * containerd calls it, too, when all went well, and nothing is left. A pod whose own container was deleted before the others goes on.
 * @param warn hears of hooks that failed
 * @throws KataError with the first failure, after everything else was tried
 */
export async function deleteShim(args: ShimArguments, warn: (message: string) => void): Promise<void> {
  const { address, namespace, id } = args;
  const root = taskRoot(namespace);
  const store = createFileStore(root);
  const record = find(store, root, id);
  if (record !== undefined && record.id !== id) return await removeJoined(store, record, id, warn);
  if (record !== undefined && goesOnWithout(record, id)) return;
  const socket = taskSocket(address, namespace, id);
  try {
    if (record !== undefined) await undoFromRecord(record);
  } finally {
    store.remove(id);
    for (const container of record?.containers.toReversed() ?? []) await runPoststop(container, warn);
    await sendAway(socket, id);
    unlinkIfThere(socket);
  }
}

/** undefined: there is nothing. Of a record that nobody can read, what its id alone tells. */
function find(store: Store, root: string, id: string): SandboxRecord | undefined {
  if (!store.list().includes(id)) return undefined;
  try {
    return store.load(id);
  } catch (error) {
    if (error instanceof KataError && ["NotFound", "Internal"].includes(error.code))
      return guessRecord(root, id);
    throw error;
  }
}

function goesOnWithout(record: SandboxRecord, id: string): boolean {
  const { containers } = record;
  return containers.length > 0 && !containers.some((each) => each.id === id) && daemonAlive(record);
}

/** A container of a pod: the pod goes on. */
async function removeJoined(
  store: Store,
  record: SandboxRecord,
  id: string,
  warn: (message: string) => void,
): Promise<void> {
  const container = record.containers.find((each) => each.id === id);
  try {
    await leaveSandbox(store, record, id, DELETE_MS);
  } catch (error) {
    // The sandbox was removed meanwhile, and all of it.
    if (!(error instanceof KataError) || error.code !== "NotFound") throw error;
  }
  if (container !== undefined) await runPoststop(container, warn);
}

async function runPoststop(
  { hooks, ...container }: ContainerRecord,
  warn: (message: string) => void,
): Promise<void> {
  await runLaterHooks("poststop", hooks?.poststop, container, 0, (message) =>
    warn(`${container.id}: ${message}`),
  );
}

/** A shim that has no sandbox is in no record: one whose create has failed, or that nobody has called. */
async function sendAway(socket: string, id: string): Promise<void> {
  try {
    using shim = await connectDaemon(socket);
    await shim?.call(Task.Shutdown, { id, now: true }, { timeoutMs: SHUTDOWN_MS });
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
  }
}
