import { ConnectionEnd } from "@kata-containers/shim";
import { KataError } from "@kata-containers/sys";

/**
 * A connection that ends in mid-request says nothing of the container: the user is told whose daemon is gone, and what to do.
 * @returns what is to be thrown in place of the error: the error itself when it is another one
 */
export function lostDaemon(error: unknown, id: string, what: string): unknown {
  if (!(error instanceof ConnectionEnd)) return error;
  return new KataError(
    "Unavailable",
    `${what}: the daemon of container ${id} ended before it answered (kata-runtime delete --force ${id} removes what is left)`,
    { cause: error },
  );
}
