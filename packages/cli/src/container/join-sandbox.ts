import { type KataConfig, refuseContainerAnnotations } from "@kata-containers/config";
import { Daemon } from "@kata-containers/protocols";
import {
  type Bundle,
  checkJoinedNamespaces,
  containerBeingMade,
  isSameNamespace,
  leaveSandbox,
  openNamespace,
} from "@kata-containers/shim";
import { type Fd, isSysError, KataError, ops, type Undo } from "@kata-containers/sys";
import {
  createFileStore,
  daemonAlive,
  INDEX_DIR,
  loadSavedConfig,
  type SandboxRecord,
  type Store,
  savedConfigPath,
  withContainer,
} from "@kata-containers/virtcontainers";
import type { Globals } from "../globals.ts";
import { connectDaemonOf } from "./lost-daemon.ts";
import type { OpenSandbox } from "./open-sandbox.ts";

/** How long a daemon may take to answer what it knows without asking the guest, ms. */
const ANSWER_MS = 10_000;
/** How long it may take to undo a container, ms: it asks the guest, within its own time-outs. */
const UNDO_MS = 120_000;

export interface JoinOrder {
  readonly id: string;
  readonly sandboxId: string;
  readonly globals: Globals;
  readonly bundle: Bundle;
  readonly undo: Undo;
}

/**
 * Takes a container into the sandbox of its pod: its id is taken, and names the sandbox's record from now on.
 * `order.undo` gets what removes it again.
 * @throws KataError NotFound for a sandbox that is not there, FailedPrecondition for one that has stopped,
 *   InvalidArgument when the specification asks for namespaces other than the sandbox's, or has an annotation that is not
 *   supported; nothing was changed then
 */
export async function joinSandbox(order: JoinOrder): Promise<OpenSandbox> {
  const { id, sandboxId, globals, bundle, undo } = order;
  refuseContainerAnnotations(bundle.spec.annotations);
  const store = createFileStore(globals.root);
  const record = findSandbox(store, sandboxId, globals.root);
  const config: KataConfig = loadSavedConfig(savedConfigPath(record.root, record.id));
  const daemon = await connectDaemonOf(id, record.socket);
  if (daemon === undefined) throw hasStopped(sandboxId);
  undo.use(daemon);
  const sandbox = await daemon.call(Daemon.State, { id: sandboxId }, { timeoutMs: ANSWER_MS });
  if (sandbox.status === "stopped") throw hasStopped(sandboxId);
  const networkNamespace = undo.use(networkNamespaceOf(record));
  checkJoinedNamespaces(bundle.spec, sandboxId, {
    network: (path) => isSameNamespace(path, `/proc/self/fd/${networkNamespace.number}`),
    pid: (path) => isSameNamespace(path, `/proc/${sandbox.pid}/ns/pid`),
  });

  store.join(id, sandboxId);
  undo.defer(() => leaveSandbox(store, record, id, UNDO_MS));
  store.update(sandboxId, (current) => withContainer(current, containerBeingMade(id, bundle)));
  return { config, socket: record.socket, daemon, networkNamespace, ready: Promise.resolve() };
}

function findSandbox(store: Store, sandboxId: string, root: string): SandboxRecord {
  let record: SandboxRecord;
  try {
    record = store.load(sandboxId);
  } catch (cause) {
    if (!(cause instanceof KataError) || cause.code !== "NotFound") throw cause;
    const other = otherRootOf(sandboxId, root);
    const hint = other === undefined ? "" : ` (there is one in ${other}: use its --root)`;
    throw new KataError("NotFound", `sandbox "${sandboxId}" does not exist in ${root}${hint}`, { cause });
  }
  if (record.id === sandboxId) return record;
  throw new KataError(
    "InvalidArgument",
    `"${sandboxId}" is no sandbox: it is a container of sandbox "${record.id}"`,
  );
}

/** Another root that has a sandbox of that name, by the index of all sandboxes. */
function otherRootOf(sandboxId: string, root: string): string | undefined {
  try {
    return ops
      .readdir(INDEX_DIR)
      .map(({ name }) => ops.readlink(`${INDEX_DIR}/${name}`))
      .filter((path) => path.endsWith(`/${sandboxId}`))
      .map((path) => path.slice(0, -sandboxId.length - 1))
      .find((each) => each !== root);
  } catch (error) {
    if (isSysError(error)) return undefined;
    throw error;
  }
}

/** The daemon lives in the sandbox's network namespace. */
function networkNamespaceOf(record: SandboxRecord): Fd {
  const daemon = record.resources.find((each) => each.kind === "process" && each.name === "daemon");
  if (daemon?.kind !== "process") throw hasStopped(record.id);
  const fd = openNamespace(
    `/proc/${daemon.identity.pid}/ns/net`,
    "cannot open the sandbox's network namespace",
  );
  // Looked at once the descriptor is there: it was the daemon's, not that of a later process with its pid.
  if (daemonAlive(record)) return fd;
  fd.close();
  throw hasStopped(record.id);
}

function hasStopped(sandboxId: string): KataError {
  return new KataError(
    "FailedPrecondition",
    `sandbox "${sandboxId}" has stopped: a container cannot join it`,
  );
}
