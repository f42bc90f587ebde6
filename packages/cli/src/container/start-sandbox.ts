import { loadSandboxConfig } from "@kata-containers/config";
import {
  adoptDaemon,
  type Bundle,
  claimRecord,
  type DaemonOrder,
  type DaemonProcess,
  endScope,
  insideScope,
  openNetworkNamespace,
  spawnDaemon,
  type WantedScope,
} from "@kata-containers/shim";
import { KataError, type Undo } from "@kata-containers/sys";
import type { Globals } from "../globals.ts";
import { passOnWarning } from "../report-error.ts";
import { connectDaemonOf } from "./lost-daemon.ts";
import type { OpenSandbox } from "./open-sandbox.ts";

/** How long after its hooks the daemon waits for the call that creates the container. */
const CALL_SECONDS = 30;

export interface SandboxOrder {
  readonly id: string;
  readonly globals: Globals;
  readonly bundle: Bundle;
  /** systemd's scope for its cgroups; undefined: they are made through cgroupfs. */
  readonly scope: WantedScope | undefined;
  /** How long hooks may run before the daemon gets its first call; undefined: there are none. */
  readonly hookSeconds: number | undefined;
  /** Gets what ends the sandbox again. */
  readonly undo: Undo;
}

/**
 * Starts a sandbox for its first container, whose id it gets: writes the record and starts the daemon, which boots the
 * virtual machine meanwhile.
 * @throws KataError; nothing was changed when it is the configuration's, an annotation's or the bundle's fault
 */
export async function startSandbox(order: SandboxOrder): Promise<OpenSandbox> {
  const { id, globals, bundle, scope, hookSeconds, undo } = order;
  const config = loadSandboxConfig({ annotations: bundle.spec.annotations, optionsPath: globals.config });
  const networkNamespace = undo.use(openNetworkNamespace(bundle.spec));
  let scoped = false;
  undo.defer(async () => {
    if (scoped && scope !== undefined) await endScope(scope);
  });
  const { socket, listener } = claimRecord({ id, root: globals.root, bundle, scope, config, undo });
  using listening = listener;
  const patience = hookSeconds === undefined ? {} : { orphanSeconds: hookSeconds + CALL_SECONDS };
  const daemonOrder = {
    ...globals,
    id,
    config,
    networkNamespace,
    listener: listening,
    ...patience,
    scoped: scope !== undefined,
  };
  const take = () => takeDaemon(daemonOrder, (warning) => passOnWarning(globals, warning));
  const takeInside = () => {
    scoped = true;
    return take();
  };
  const process = await (scope === undefined ? take() : insideScope(scope, id, takeInside));
  undo.defer(() => process.kill());
  const daemon = await connectDaemonOf(id, socket);
  if (daemon === undefined) throw new KataError("Unavailable", `${socket}: nobody listens`);
  undo.use(daemon);
  return { config, socket, daemon, networkNamespace, ready: process.ready };
}

/** One of the cache's, which has its virtual machine, if the configuration has a cache; else a new one. */
async function takeDaemon(order: DaemonOrder, warn: (warning: string) => void): Promise<DaemonProcess> {
  if (order.config.factory.vm_cache_number === 0) return spawnDaemon(order);
  const adopted = await adoptDaemon(order);
  if (!("none" in adopted)) return adopted;
  warn(`no virtual machine of the cache is taken: ${adopted.none}`);
  return spawnDaemon(order);
}
