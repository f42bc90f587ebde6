import { runLaterHooks } from "@kata-containers/launch";
import { Daemon } from "@kata-containers/protocols";
import { releaseScope } from "@kata-containers/shim";
import { deadline, Fd, isSysError, KataError, ops } from "@kata-containers/sys";
import {
  type ContainerRecord,
  checkDeletedLast,
  checkKept,
  createFileStore,
  daemonAlive,
  guessRecord,
  type SandboxRecord,
  type Store,
  undoFromRecord,
  withoutContainer,
  withoutContainers,
} from "@kata-containers/virtcontainers";
import type { Globals } from "../globals.ts";
import { reportWarning } from "../report-error.ts";
import { type FoundContainer, findContainer } from "./find-container.ts";
import { LostDaemon } from "./lost-daemon.ts";

/** The daemon stops the virtual machine meanwhile, within its own time-outs; this one is for a daemon that hangs. */
const DELETE_MS = 120_000;
/** How long a daemon may take to leave after its last answer. */
const LEAVE_MS = 5_000;

/**
 * Removes a stopped container and, with the sandbox's own, the sandbox, which therefore goes last; with force one that runs
 * or is only created, a half-made one, and what a daemon that died has left.
 * Its poststop hooks run when nothing of it is left: one that fails is a warning.
 * @throws KataError NotFound, FailedPrecondition while it has not stopped
 */
export async function deleteContainer(globals: Globals, id: string, force: boolean): Promise<void> {
  using found = await findOrRemove(globals, id, force);
  if (found === undefined) return;
  const answer = await askDaemon(found, id, force);
  if (answer !== "deleted") {
    if (!(await deleteLeftovers(found, force, answer))) return;
  } else if (found.record.id === id) {
    // The daemon has removed the record; after that the id may be somebody else's.
    await daemonLeaves(found.record);
  }
  if (found.record.id === id) await releaseScope(found.record, (message) => reportWarning(globals, message));
  for (const { hooks, ...container } of deletedWith(found)) {
    const warn = (message: string) => reportWarning(globals, `${container.id}: ${message}`);
    await runLaterHooks("poststop", hooks?.poststop, container, 0, warn);
  }
}

/** A sandbox takes its containers along: they end before it. */
function deletedWith({ record, container }: FoundContainer): readonly ContainerRecord[] {
  if (container.id !== record.id) return [container];
  return [...record.containers.filter((each) => each !== container), container];
}

/** With force, a record that nobody can read, or that is not there, is no obstacle. */
async function findOrRemove(
  globals: Globals,
  id: string,
  force: boolean,
): Promise<FoundContainer | undefined> {
  try {
    return await findContainer(globals, id);
  } catch (error) {
    if (!force || !(error instanceof KataError)) throw error;
    const store = createFileStore(globals.root);
    if (!store.list().includes(id)) return undefined;
    const record = readable(store, id);
    const isThere = record?.containers.some((each) => each.id === id) ?? false;
    // Made since we looked: it was asked for when there was nothing.
    if (isThere && error.code === "NotFound") return undefined;
    // Its daemon cannot be reached from here: no reason to forget what it has.
    if (isThere) throw error;
    if (record?.id === id) {
      await deleteEmpty(store, record);
      await releaseScope(record, (message) => reportWarning(globals, message));
    } else await deleteUnreadable(store, globals.root, id);
    return undefined;
  }
}

function readable(store: Store, id: string): SandboxRecord | undefined {
  try {
    return store.load(id);
  } catch {
    return undefined;
  }
}

/**
 * Of a sandbox whose record nobody can read, what its id alone tells: its daemon, with which the VMM and the share's server end; its socket;
 * and the cgroup that it has when the specification named none.
 */
async function deleteUnreadable(store: Store, root: string, id: string): Promise<void> {
  await undoFromRecord(guessRecord(root, id));
  store.remove(id);
}

/** A record without containers: another command is deleting it, or its daemon has failed in the middle of that. */
async function deleteEmpty(store: Store, record: SandboxRecord): Promise<void> {
  await daemonLeaves(record);
  if (!stillThere(store, record)) return;
  await undoFromRecord(record);
  store.remove(record.id);
}

/** Whether the id still means this sandbox: another one has another daemon. */
function stillThere(store: Store, record: SandboxRecord): boolean {
  const current = readable(store, record.id);
  return current !== undefined && JSON.stringify(daemonsOf(current)) === JSON.stringify(daemonsOf(record));
}

function daemonsOf({ resources }: SandboxRecord) {
  return resources.filter((each) => each.kind === "process" && each.name === "daemon");
}

/** What came of asking the daemon; "unknown": it lives, and has never heard of the container. */
type Answer = "deleted" | "unknown" | "none";

async function askDaemon(
  { daemon, record, container }: FoundContainer,
  id: string,
  force: boolean,
): Promise<Answer> {
  if (daemon === undefined) return "none";
  try {
    await daemon.call(Daemon.Delete, { id: container.id, force }, { timeoutMs: DELETE_MS });
    return "deleted";
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    // A daemon that does not know it has lost it, one that hangs or died cannot say; the record is left.
    const cannotSay = ["Unavailable", "NotFound", "DeadlineExceeded"].includes(error.code);
    // Of a daemon that was killed the connection ends before the process: `deleteLeftovers` waits for that.
    const lost = error instanceof LostDaemon;
    if (cannotSay && (force || lost || !daemonAlive(record)))
      return error.code === "NotFound" ? "unknown" : "none";
    if (error.code === "NotFound") throw missing(id);
    throw error;
  }
}

function missing(id: string): KataError {
  return new KataError("NotFound", `container "${id}" does not exist`);
}

/**
 * By the record alone: the daemon is gone, or with force killed, for it does not answer.
 * @returns false when another command does it, which runs the hooks, too
 * @throws KataError NotFound in that case without force
 */
async function deleteLeftovers(
  { store, record, container, daemon }: FoundContainer,
  force: boolean,
  answer: Answer,
): Promise<boolean> {
  if (!force && daemonAlive(record)) {
    await daemonEnds(record).catch(() => {});
    if (!stillThere(store, record)) throw missing(container.id);
  }
  if (!force && daemonAlive(record)) {
    throw new KataError(
      "Unavailable",
      `the daemon of container ${container.id} does not answer (delete --force kills it)`,
    );
  }
  // A daemon that we asked, and lost, may have begun; one that has left removed the record before.
  const forUs = daemon !== undefined && answer === "none" && stillThere(store, record);
  if (container.id !== record.id) {
    // A create that was killed before it called the daemon is no reason to end the pod.
    if (answer !== "unknown" && daemonAlive(record)) await undoFromRecord(record);
    const kept = withoutJoined(store, record, container);
    if (!kept && !forUs) {
      if (force) return false;
      throw missing(container.id);
    }
    store.remove(container.id);
    return true;
  }
  if (!force) checkDeletedLast(record);
  const current = beingDeleted(store, record);
  if (current === undefined && !forUs) {
    await deleteEmpty(store, record);
    if (force) return false;
    throw missing(container.id);
  }
  try {
    await undoFromRecord(current ?? record);
  } finally {
    store.remove(record.id);
  }
  return true;
}

/** @returns whether the sandbox's record had the container until now */
function withoutJoined(store: Store, record: SandboxRecord, { id }: ContainerRecord): boolean {
  let had = false;
  store.update(record.id, (current) => {
    had = current.containers.some((each) => each.id === id);
    return withoutContainer(current, id);
  });
  return had;
}

/**
 * The record as it is now, and stays: whoever is still making something for the sandbox fails.
 * @returns undefined when it was being deleted before
 */
function beingDeleted(store: Store, record: SandboxRecord): SandboxRecord | undefined {
  try {
    return store.update(record.id, (current) => {
      checkKept(current);
      return withoutContainers(current);
    });
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    // Else nobody can read it any more.
    return error.code === "NotFound" ? undefined : record;
  }
}

/** When `delete` returns, nothing of the sandbox is left: not its daemon either. */
async function daemonLeaves(record: SandboxRecord): Promise<void> {
  try {
    await daemonEnds(record);
  } catch {
    await undoFromRecord(record);
  }
}

/** @throws Error when it has not left in time */
async function daemonEnds(record: SandboxRecord): Promise<void> {
  for (const resource of record.resources) {
    if (resource.kind !== "process" || resource.name !== "daemon" || !daemonAlive(record)) continue;
    try {
      using pidfd = new Fd(ops.pidfdOpen(resource.identity.pid));
      if (!daemonAlive(record)) return;
      await deadline(ops.pidfdEnded(pidfd.number), LEAVE_MS, () => new Error("the daemon stays"));
    } catch (error) {
      if (isSysError(error, "ESRCH")) return;
      throw error;
    }
  }
}
