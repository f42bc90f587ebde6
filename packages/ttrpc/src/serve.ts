import { acceptAll } from "@kata-containers/sys";
import type { Handlers } from "./handlers.ts";
import { ServerConnection, type ServerOptions } from "./server.ts";
import type { FrameTransport, Listener } from "./transport.ts";

export interface Server {
  /** Takes no more connections and ends those there are; their handlers' signals are aborted. */
  close(): void;
  /** Resolves when the listener has ended and every connection with it; handlers may still be on their way out. */
  readonly closed: Promise<void>;
}

/** Answers the requests of one connection, or of every connection that a listener accepts. Owns what it is given. */
export function serve(
  source: FrameTransport | Listener,
  handlers: Handlers,
  options: ServerOptions = {},
): Server {
  const connections = new Set<ServerConnection>();
  const add = async (transport: FrameTransport): Promise<void> => {
    const connection = new ServerConnection(transport, handlers, options);
    connections.add(connection);
    const error = await connection.closed;
    connections.delete(connection);
    if (error) {
      options.onConnectionError?.(error);
    }
  };
  if (!("accept" in source)) {
    const closed = add(source);
    return { closed, close: () => closeAll(connections) };
  }
  let open = true;
  const closed = acceptAll(
    () => source.accept(),
    () => open,
    (transport) => void add(transport),
  ).finally(() => closeAll(connections));
  return {
    closed,
    close: () => {
      open = false;
      source.close();
      closeAll(connections);
    },
  };
}

function closeAll(connections: Iterable<ServerConnection>): void {
  for (const connection of connections) {
    connection.close();
  }
}
