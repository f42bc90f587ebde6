import type { Init, Method } from "@kata-containers/protocols";
import { Fd, isSysError, KataError, ops } from "@kata-containers/sys";
import { createClient, fdTransport } from "@kata-containers/ttrpc";

export interface CallOptions {
  /** After it the call fails with DeadlineExceeded, and the daemon is told. */
  readonly timeoutMs?: number;
  /** Descriptors that go along; the request's `*Fd` fields count them from 1. They stay the caller's. */
  readonly fds?: readonly number[];
}

/** A connection to a sandbox's daemon. */
export interface DaemonClient extends Disposable {
  /**
   * One RPC of proto/daemon.proto: `daemon.call(Daemon.Start, { id }, { timeoutMs: 5000 })`.
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
    const client = createClient(fdTransport(new Fd(await ops.unixConnect(path))));
    return {
      call: (method, request, options) => client.unary(method, request, options),
      [Symbol.dispose]: () => client.close(),
    };
  } catch (error) {
    if (isSysError(error, "ENOENT", "ECONNREFUSED")) return undefined;
    throw KataError.from(error, "cannot reach the sandbox's daemon");
  }
}
