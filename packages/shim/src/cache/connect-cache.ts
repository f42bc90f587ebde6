import type { KataConfig } from "@kata-containers/config";
import { Fd, isSysError, ops } from "@kata-containers/sys";
import { ControlSocket } from "./control-socket.ts";

/**
 * Connects to whoever serves the cache; undefined: nobody does.
 * @throws KataError PermissionDenied when that is another user
 */
export async function connectCache({ factory }: KataConfig): Promise<ControlSocket | undefined> {
  try {
    const server = new ControlSocket(new Fd(await ops.unixConnect(factory.vm_cache_endpoint)));
    server.checkPeer("it is served");
    return server;
  } catch (error) {
    if (isSysError(error, "ENOENT", "ECONNREFUSED")) return undefined;
    throw error;
  }
}
