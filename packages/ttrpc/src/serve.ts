import { isSysError, KataError, sleep } from "@kata-containers/sys";
import type { Handlers } from "./handlers.ts";
import { ServerConnection, type ServerOptions } from "./server.ts";
import type { FrameTransport, Listener } from "./transport.ts";

export interface Server {
  /** Takes no more connections and ends those there are; their handlers' signals are aborted. */
  close(): void;
  /** Resolves when the listener has ended and every connection with it; handlers may still be on their way out. */
  readonly closed: Promise<void>;
}

/** accept(2) failures that pass; the wait keeps them from spinning. */
const PASSING = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ECONNABORTED"]);
const PASSING_WAIT_MS = 100;

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
  const closed = acceptAll(source, () => open, add).finally(() => closeAll(connections));
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

async function acceptAll(
  listener: Listener,
  isOpen: () => boolean,
  add: (transport: FrameTransport) => Promise<void>,
): Promise<void> {
  while (isOpen()) {
    try {
      void add(await listener.accept());
    } catch (caught) {
      if (!isOpen()) {
        return;
      }
      if (!(isSysError(caught) && PASSING.has(caught.code))) {
        throw KataError.from(caught, "cannot accept connections");
      }
      await sleep(PASSING_WAIT_MS);
    }
  }
}
