import { checkFiles, loadConfig } from "@kata-containers/config";
import {
  type Bundle,
  claimRecord,
  connectDaemon,
  listenForDaemon,
  openNetworkNamespace,
  spawnDaemon,
} from "@kata-containers/shim";
import { KataError, type Undo } from "@kata-containers/sys";
import type { Globals } from "../globals.ts";
import type { OpenSandbox } from "./open-sandbox.ts";

/**
 * Starts a sandbox for its first container, whose id it gets: writes the record and starts the daemon, which boots the
 * virtual machine meanwhile.
 * @param undo gets what ends it again
 * @throws KataError; nothing was changed when it is the configuration's or the bundle's fault
 */
export async function startSandbox(
  id: string,
  globals: Globals,
  bundle: Bundle,
  undo: Undo,
): Promise<OpenSandbox> {
  const config = loadConfig(globals.config);
  checkFiles(config);
  const networkNamespace = undo.use(openNetworkNamespace(bundle.spec));
  const socket = claimRecord({ id, root: globals.root, bundle, config, undo });
  using listener = listenForDaemon(socket);
  const process = spawnDaemon({ ...globals, id, config, networkNamespace, listener });
  process.ready.catch(() => {});
  undo.defer(() => process.kill());
  const daemon = await connectDaemon(socket);
  if (daemon === undefined) throw new KataError("Unavailable", `${socket}: nobody listens`);
  undo.use(daemon);
  return { config, socket, daemon, networkNamespace, ready: process.ready };
}
