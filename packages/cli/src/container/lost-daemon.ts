import { ConnectionEnd, connectDaemon, type DaemonClient } from "@kata-containers/shim";
import { KataError } from "@kata-containers/sys";

/** The daemon ended without having been told to: a connection that breaks says nothing of the container, this does. */
export class LostDaemon extends KataError {
  constructor(id: string, options?: ErrorOptions) {
    const remedy = `kata-runtime delete --force ${id} removes what is left`;
    super(
      "Unavailable",
      `the daemon of container ${id} is gone, and the container with it (${remedy})`,
      options,
    );
  }
}

/**
 * Connects to the daemon of a container: a call whose connection ends rejects with LostDaemon.
 * @returns undefined when nobody serves the socket
 */
export async function connectDaemonOf(id: string, socket: string): Promise<DaemonClient | undefined> {
  const daemon = await connectDaemon(socket);
  if (daemon === undefined) return undefined;
  return {
    call: (method, request, options) =>
      daemon.call(method, request, options).catch((error: unknown) => {
        throw error instanceof ConnectionEnd ? new LostDaemon(id, { cause: error }) : error;
      }),
    [Symbol.dispose]: () => daemon[Symbol.dispose](),
  };
}
