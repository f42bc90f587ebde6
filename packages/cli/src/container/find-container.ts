import { Daemon } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import { KataError, ops } from "@kata-containers/sys";
import {
  type ContainerRecord,
  createFileStore,
  type SandboxRecord,
  type Store,
} from "@kata-containers/virtcontainers";
import type { Globals } from "../globals.ts";
import { connectDaemonOf, LostDaemon } from "./lost-daemon.ts";

/** How long a daemon may take to answer what it knows without asking the guest. */
const ANSWER_MS = 10_000;

/** A container as the host knows it. */
export interface FoundContainer extends Disposable {
  readonly store: Store;
  readonly record: SandboxRecord;
  readonly container: ContainerRecord;
  /** undefined: it is gone, and the container with it. */
  readonly daemon: DaemonClient | undefined;
}

/**
 * Looks a container up and reaches for its daemon.
 * @throws KataError NotFound
 */
export async function findContainer(globals: Globals, id: string): Promise<FoundContainer> {
  const store = createFileStore(globals.root);
  const { record, container } = containerIn(store, existingId(id));
  const daemon = await connectDaemonOf(id, record.socket);
  return { store, record, container, daemon, [Symbol.dispose]: () => daemon?.[Symbol.dispose]() };
}

/** What the store says of a container. @throws KataError NotFound */
export function containerIn(store: Store, id: string): Pick<FoundContainer, "record" | "container"> {
  const record = store.load(id);
  const container = record.containers.find((each) => each.id === id);
  if (container === undefined) throw new KataError("NotFound", `container "${id}" does not exist`);
  return { record, container };
}

/** What the container does now. The daemon knows; a container without its daemon has stopped. */
export async function currentState(found: FoundContainer): Promise<ContainerRecord> {
  try {
    return await toldState(found);
  } catch (error) {
    if (error instanceof LostDaemon) return stoppedState(found);
    throw error;
  }
}

/** The same, for a caller to whom it is not the same that the daemon is lost in the meantime. @throws LostDaemon */
export async function toldState(found: FoundContainer): Promise<ContainerRecord> {
  const { container, daemon } = found;
  if (daemon === undefined) return stoppedState(found);
  try {
    const state = await daemon.call(Daemon.State, { id: container.id }, { timeoutMs: ANSWER_MS });
    return { ...container, status: statusOf(state.status), pid: state.status === "stopped" ? 0 : state.pid };
  } catch (error) {
    // The command that makes it has written the record, and not called the daemon yet.
    if (error instanceof KataError && error.code === "NotFound" && container.status === "creating")
      return container;
    throw error;
  }
}

function stoppedState({ container }: FoundContainer): ContainerRecord {
  return { ...container, status: "stopped", pid: 0 };
}

/** An id that no container can have names none: its text must not become a path. */
function existingId(id: string): string {
  const couldBe = id !== "" && id !== "." && id !== ".." && !id.includes("/");
  if (couldBe && ops.utf8Encode(id).length <= 255) return id;
  throw new KataError("NotFound", `container "${id}" does not exist`);
}

const STATUSES = ["creating", "created", "running", "paused", "stopped"] as const;

function statusOf(text: string): ContainerRecord["status"] {
  const known = STATUSES.find((status) => status === text);
  if (known === undefined)
    throw new KataError("Internal", `the daemon says an unknown status, ${JSON.stringify(text)}`);
  return known;
}
