import type { Init, Method } from "@kata-containers/protocols";
import { isSysError, KataError } from "@kata-containers/sys";
import { type CallOptions, connectUnix, createClient } from "@kata-containers/ttrpc";

/** A connection to a sandbox's daemon. */
export interface DaemonClient extends Disposable {
  /**
   * One RPC of proto/daemon.proto; a request's `*Fd` fields count `options.fds` from 1: `daemon.call(Daemon.Start, { id }, { timeoutMs: 5000 })`.
   * @throws KataError the daemon's, DeadlineExceeded, or Unavailable when the connection ends first
   */
  call<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: Init<Req>,
    options?: CallOptions,
  ): Promise<Res>;
}

/**
 * Connects to the daemon's socket.
 * @returns undefined when nobody serves it: the daemon is gone
 * @throws KataError for every other failure
 */
export async function connectDaemon(path: string): Promise<DaemonClient | undefined> {
  try {
    const client = createClient(await connectUnix(path));
    return {
      call: (method, request, options) => client.unary(method, request, options),
      [Symbol.dispose]: () => client.close(),
    };
  } catch (error) {
    if (isSysError(error, "ENOENT", "ECONNREFUSED")) return undefined;
    throw KataError.from(error, "cannot reach the sandbox's daemon");
  }
}
