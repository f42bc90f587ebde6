import { Fd, isSysError, NETLINK, ops } from "@kata-containers/sys";

/** Multicast groups of rtnetlink(7), as a mask: links, addresses and routes of IPv4 and IPv6, neighbours. */
const GROUPS = {
  link: 1,
  neighbour: 4,
  ipv4Address: 0x10,
  ipv4Route: 0x40,
  ipv6Address: 0x100,
  ipv6Route: 0x400,
};
const ALL = Object.values(GROUPS).reduce((mask, group) => mask | group, 0);

/** More than one event; what is longer is cut, and nobody reads it. */
const MAX_EVENT = 32 << 10;

/** Tells when something changed in a network namespace, not what: whoever hears it looks. */
export interface NetworkChanges extends Disposable {
  /** Resolves with true at the next change since the last call; with false when it is closed. */
  next(): Promise<boolean>;
}

/** Listens in the network namespace that the calling thread is in, from this moment on. */
export function watchNetwork(): NetworkChanges {
  const socket = new Fd(ops.netlink(NETLINK.ROUTE, ALL));
  return {
    async next() {
      try {
        await ops.read(socket.number, MAX_EVENT);
        drain(socket);
        return true;
      } catch (error) {
        if (isSysError(error, "ECANCELED", "EBADF")) return false;
        // Events were lost: something changed.
        if (isSysError(error, "ENOBUFS")) return true;
        throw error;
      }
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

/** Takes what has come meanwhile: one look is enough for all of it. */
function drain(socket: Fd): void {
  try {
    for (;;) ops.readSync(socket.number, MAX_EVENT);
  } catch (error) {
    if (!isSysError(error, "EAGAIN", "ENOBUFS")) throw error;
  }
}
