import { type KataConfig, loadSandboxConfig } from "@kata-containers/config";
import { validateContainerId } from "@kata-containers/oci";
import {
  type Bundle,
  claimRecord,
  connectDaemon,
  containerBeingMade,
  listenForDaemon,
  namedNetwork,
  openNetworkNamespace,
  sandboxBeingMade,
  spawnDaemon,
} from "@kata-containers/shim";
import { Fd, KataError, ops, SOCK, Undo } from "@kata-containers/sys";
import {
  createFileStore,
  createMemoryStore,
  identityOf,
  OWNER_ROOT,
  removeAbandoned,
  takeCgroup,
  undoFromRecord,
  withCgroups,
  withContainer,
} from "@kata-containers/virtcontainers";
import type { Sandbox, SandboxOptions } from "./api.ts";
import { absolute, containerBundle } from "./container-bundle.ts";
import { makeContainer } from "./guest-container.ts";
import { GuestSandbox, newId } from "./guest-sandbox.ts";
import { SandboxLink } from "./sandbox-link.ts";
import { Streams } from "./streams.ts";

/** See api.ts. */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const id = validateContainerId(options.id ?? newId());
  const bundle = containerBundle(options);
  const config = loadSandboxConfig({
    annotations: bundle.spec.annotations,
    optionsPath: options.config === undefined ? undefined : absolute(options.config),
  });
  await using undo = new Undo();
  const order = { id, bundle, config, debug: options.debug ?? false, undo };
  const store = options.store ?? "memory";
  const link = await (store === "memory" ? startInMemory(order) : startOnDisk(order, absolute(store)));
  const streams = undo.use(new Streams(options));
  await makeContainer(link, id, bundle, streams);
  undo.commit();
  return new GuestSandbox(link, bundle.process, streams);
}

type Order = {
  readonly id: string;
  readonly bundle: Bundle;
  readonly config: KataConfig;
  readonly debug: boolean;
  readonly undo: Undo;
};

async function startOnDisk(order: Order, root: string): Promise<SandboxLink> {
  const { undo } = order;
  const daemon = await startDaemon({ ...order, root, ...claimRecord({ ...order, root }) });
  const { id, config } = order;
  const link = new SandboxLink({ id, config, store: createFileStore(root), owner: undefined, ...daemon });
  undo.defer(() => link.close());
  return link;
}

/** The record goes to the daemon over a socket, and stays in this program's memory for the day the daemon is killed. */
async function startInMemory(order: Order): Promise<SandboxLink> {
  const { id, config, bundle, undo } = order;
  const root = ownRoot();
  const sandbox = sandboxBeingMade({ id, root, bundle, config });
  await removeAbandoned();
  undo.defer(() => undoFromRecord(sandbox));
  takeCgroup(sandbox);
  const record = withContainer(withCgroups(sandbox), containerBeingMade(id, bundle));
  const store = createMemoryStore();
  store.create(record);
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  const owner = undo.use(new Fd(ours));
  using owned = new Fd(theirs);
  await ops.write(owner.number, ops.utf8Encode(`${JSON.stringify(record)}\n${JSON.stringify(config)}\n`));
  const { socket } = record;
  const listener = listenForDaemon(socket);
  const daemon = await startDaemon({ ...order, root, socket, listener, owner: owned });
  // Nobody else is to find it.
  ops.unlink(socket);
  const link = new SandboxLink({ id, config, store, owner, ...daemon });
  undo.defer(() => link.end(false));
  return link;
}

/** A name that no other program's sandboxes have: ids need to be unique in this program alone. Nothing is there. */
function ownRoot(): string {
  const pid = ops.getpid();
  return `${OWNER_ROOT}${pid}-${identityOf(pid)?.startTime ?? 0}`;
}

type DaemonStart = Order & {
  readonly root: string;
  readonly socket: string;
  readonly listener: Fd;
  readonly owner?: Fd;
};

async function startDaemon(start: DaemonStart) {
  const { socket, undo, bundle } = start;
  using listener = start.listener;
  using networkNamespace = namedNetworkNamespace(bundle);
  const process = spawnDaemon({ ...start, networkNamespace, listener });
  process.ready.catch(() => {});
  undo.defer(() => process.kill());
  const daemon = await connectDaemon(socket);
  if (daemon === undefined) throw new KataError("Unavailable", `${socket}: nobody listens`);
  undo.use(daemon);
  await process.ready;
  return { process, daemon };
}

/** Without a name the daemon makes one for itself. */
function namedNetworkNamespace({ spec }: Bundle): Fd | undefined {
  return namedNetwork(spec) === undefined ? undefined : openNetworkNamespace(spec);
}
