import { isSysError, KataError, ops, SOCK } from "@kata-containers/sys";
import { Input } from "../process/input.ts";
import { Output } from "../process/output.ts";
import type { Streams } from "../process/stdio.ts";

/** More at a time nobody needs: a browser asks with six. */
const MAX_CONNECTIONS = 256;
const MAX_PORT = 65535;
/** "localhost" is either to who listens. */
const ADDRESSES = ["127.0.0.1", "::1"];
/** No more than that is kept of what a connection has said when it is closed: nobody wants it. */
const KEPT_BYTES = 0;

/** Connections to the guest's loopback interface that the host has asked for. */
export class Forwarder {
  readonly #connections = new Map<string, Streams>();
  #ids = 0;

  /**
   * Connects by TCP, by IPv4 or else by IPv6.
   * @returns the id that its streams are known by
   * @throws KataError InvalidArgument, ResourceExhausted, Unavailable when nobody listens
   */
  async connect(port: number): Promise<string> {
    if (port < 1 || port > MAX_PORT) throw new KataError("InvalidArgument", `port ${port}: 1 to ${MAX_PORT}`);
    if (this.#connections.size >= MAX_CONNECTIONS)
      throw new KataError("ResourceExhausted", `${MAX_CONNECTIONS} connections are open`);
    const fd = await connectTo(port);
    const id = String(++this.#ids);
    this.#connections.set(id, {
      input: new Input(fd, "connection"),
      stdout: new Output(fd, KEPT_BYTES),
      stderr: undefined,
    });
    return id;
  }

  /** @throws KataError NotFound */
  streams(id: string): Streams {
    const streams = this.#connections.get(id);
    if (streams === undefined) throw new KataError("NotFound", `no connection ${JSON.stringify(id)}`);
    return streams;
  }

  /** What waits for it is rejected. None of that name is as good. */
  close(id: string): void {
    const streams = this.#connections.get(id);
    this.#connections.delete(id);
    streams?.input.finish();
    streams?.stdout.finish();
  }
}

async function connectTo(port: number): Promise<number> {
  for (const address of ADDRESSES) {
    try {
      return await ops.inetConnect(SOCK.STREAM, address, port);
    } catch (error) {
      if (!isSysError(error, "ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH", "EAFNOSUPPORT")) throw error;
    }
  }
  throw new KataError("Unavailable", `nobody listens at port ${port} of the loopback interface`);
}
