import { acceptAll, Fd, KataError, type Logger, ops, SHUT } from "@kata-containers/sys";
import type { SandboxRecord } from "@kata-containers/virtcontainers";
import type { HostedSandbox } from "../daemon/sandbox-host.ts";
import { type HttpAnswer, type HttpStream, refuseHttp, serveHttp } from "./http-connection.ts";
import type { HttpRequest } from "./http-request.ts";
import { listenForManagement } from "./management-socket.ts";

export interface ManagementOrder {
  /** A listening socket, which the server owns. */
  readonly listener: Fd;
  /** Everything in Prometheus's text format. */
  readonly metrics: () => Promise<string>;
  /** Where others on the host reach the agent; undefined: nowhere. */
  readonly agentUrl: () => string | undefined;
  readonly log: Logger;
}

/** Clients at once. */
export const MAX_CONNECTIONS = 8;

/** The management socket of one sandbox: HTTP/1.1, read-only. Who calls does not count for the daemon's lifetime. */
export class Management {
  readonly #order: ManagementOrder;
  readonly #connections = new Set<Fd>();
  #open = true;
  /** Of those who ask at once each gets the same text. */
  #gathering: Promise<Uint8Array> | undefined;

  constructor(order: ManagementOrder) {
    this.#order = order;
    void this.#acceptAll();
  }

  /** Takes no more clients and ends those there are. */
  close(): void {
    this.#open = false;
    this.#order.listener.close();
    for (const connection of this.#connections) connection.close();
  }

  async #acceptAll(): Promise<void> {
    const { listener, log } = this.#order;
    try {
      await acceptAll(
        () => ops.accept(listener.number),
        () => this.#open,
        (connection) => void this.#serve(new Fd(connection)),
      );
    } catch (error) {
      log.error("the management socket takes no more clients", { reason: KataError.from(error).message });
    }
  }

  async #serve(connection: Fd): Promise<void> {
    const stream = streamOf(connection);
    if (this.#connections.size >= MAX_CONNECTIONS) return await refuseHttp(stream);
    this.#connections.add(connection);
    await serveHttp(stream, (request) => this.#answer(request));
    this.#connections.delete(connection);
  }

  async #answer({ method, path }: HttpRequest): Promise<HttpAnswer> {
    const resource = RESOURCES.get(path);
    if (resource === undefined) return { status: 404, body: `${path}: there is nothing\n` };
    if (method !== "GET") return { status: 405, body: `${path}: can be read only (GET)\n` };
    try {
      return await this.#read(resource);
    } catch (error) {
      const { message } = KataError.from(error);
      this.#order.log.warn("management request failed", { path, reason: message });
      return { status: 500, body: `${message}\n` };
    }
  }

  async #read(resource: Resource): Promise<HttpAnswer> {
    switch (resource) {
      case "metrics":
        return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: await this.#metrics() };
      case "agent URL": {
        const url = this.#order.agentUrl();
        if (url !== undefined) return { status: 200, body: url };
        return {
          status: 404,
          body: "the agent's socket has no name: agent_channel is not vsock, or no VM runs\n",
        };
      }
    }
  }

  #metrics(): Promise<Uint8Array> {
    this.#gathering ??= this.#order
      .metrics()
      .then((text) => ops.utf8Encode(text))
      .finally(() => {
        this.#gathering = undefined;
      });
    return this.#gathering;
  }
}

/** Serves the management socket of a sandbox whose record is on disk. Without one, undefined, the sandbox goes on: the log says why. */
export function serveManagement(
  { root, id }: Pick<SandboxRecord, "root" | "id">,
  { sandbox, metrics }: Pick<HostedSandbox, "sandbox" | "metrics">,
  log: Logger,
): Management | undefined {
  try {
    const listener = listenForManagement(root, id);
    const agentUrl = () => sandbox.machine?.agentUrl;
    return new Management({ listener, metrics: () => metrics.all(), agentUrl, log });
  } catch (error) {
    log.warn("no management socket", { reason: KataError.from(error).message });
    return undefined;
  }
}

type Resource = "metrics" | "agent URL";

/** Paths are upstream's. */
const RESOURCES: ReadonlyMap<string, Resource> = new Map([
  ["/metrics", "metrics"],
  ["/agent-url", "agent URL"],
]);

function streamOf(connection: Fd): HttpStream {
  return {
    read: (max) => ops.read(connection.number, max),
    write: (bytes) => ops.write(connection.number, bytes),
    endWriting: () => ops.shutdown(connection.number, SHUT.WR),
    close: () => connection.close(),
  };
}
