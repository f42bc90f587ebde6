import { Fd, NETLINK, ops } from "@kata-containers/sys";
import { encodeMessage, NLM_F } from "./message.ts";

/** A message's fixed part and its attributes. */
export type Change = { readonly fixed: Uint8Array; readonly attributes: readonly Uint8Array[] };

/** A socket of rtnetlink(7). Every call throws a SysError when the kernel refuses. */
export class RouteSocket implements Disposable {
  readonly #socket: Fd;
  #sequence = 0;

  /** @param namespace descriptor of a network namespace; undefined: that of the calling thread. The socket stays with it. */
  constructor(namespace: Fd | undefined) {
    const socket =
      namespace === undefined
        ? ops.netlink(NETLINK.ROUTE, 0)
        : ops.netlinkIn(namespace.number, NETLINK.ROUTE);
    this.#socket = new Fd(socket);
  }

  /** The bodies of all that there is. */
  dump(type: number, fixed: Uint8Array): Uint8Array[] {
    return this.#request(type, NLM_F.DUMP, { fixed, attributes: [] });
  }

  change(type: number, flags: number, change: Change): void {
    this.#request(type, flags | NLM_F.ACK, change);
  }

  #request(type: number, flags: number, { fixed, attributes }: Change): Uint8Array[] {
    const message = encodeMessage(type, NLM_F.REQUEST | flags, ++this.#sequence, fixed, attributes);
    return ops.netlinkRequest(this.#socket.number, message);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
