import { Fd, NETLINK, ops } from "@kata-containers/sys";
import { type Address, addressChange, addressHeader, parseLinkAddress, RTM_ADDRESS } from "./address.ts";
import { type Link, type LinkChange, linkChange, linkHeader, parseLink, RTM_LINK } from "./link.ts";
import { encodeMessage, NLM_F } from "./message.ts";
import {
  type Neighbour,
  neighbourChange,
  neighbourHeader,
  parseNeighbour,
  RTM_NEIGHBOUR,
} from "./neighbour.ts";
import {
  parseRoute,
  type Route,
  type RouteChange,
  RTM_ROUTE,
  RTPROT,
  routeChange,
  routeHeader,
} from "./route.ts";
import {
  filterHeader,
  ingressChange,
  parseFilterPreference,
  parseIngress,
  qdiscHeader,
  RTM_FILTER,
  RTM_QDISC,
  redirectChange,
} from "./traffic-control.ts";

/** rtnetlink(7) of one network namespace. Every call throws a SysError when the kernel refuses. */
export interface Rtnetlink extends Disposable {
  links(): readonly Link[];
  /** Renaming needs a link that is down. */
  setLink(index: number, change: LinkChange): void;
  addresses(): readonly Address[];
  addAddress(address: Omit<Address, "permanent" | "family">): void;
  deleteAddress(address: Omit<Address, "permanent" | "family">): void;
  /** Of the main table, IPv4's and IPv6's. */
  routes(): readonly Route[];
  addRoute(route: RouteChange): void;
  deleteRoute(route: RouteChange): void;
  neighbours(): readonly Neighbour[];
  /** Adds it, or changes the one of its address. */
  setNeighbour(neighbour: Omit<Neighbour, "family">): void;
  /** Indexes of the links that have a qdisc for incoming frames. */
  ingressLinks(): readonly number[];
  /** @throws SysError EEXIST when the link has one */
  addIngress(link: number): void;
  /** With its filters. @throws SysError ENOENT or EINVAL when the link has none */
  deleteIngress(link: number): void;
  /** Whatever comes in on one link, which has an ingress qdisc, goes out of the other. */
  redirect(from: number, to: number, preference: number): void;
  /** Preferences of the filters of a link's ingress qdisc. */
  filterPreferences(link: number): readonly number[];
}

type Change = { readonly fixed: Uint8Array; readonly attributes: readonly Uint8Array[] };

/**
 * A connection to a network namespace, and it stays with that one.
 * @param namespace descriptor of one; undefined: that of the calling thread
 */
export function openRtnetlink(namespace?: Fd): Rtnetlink {
  const socket =
    namespace === undefined ? ops.netlink(NETLINK.ROUTE, 0) : ops.netlinkIn(namespace.number, NETLINK.ROUTE);
  return new KernelRtnetlink(new Fd(socket));
}

class KernelRtnetlink implements Rtnetlink {
  readonly #socket: Fd;
  #sequence = 0;

  constructor(socket: Fd) {
    this.#socket = socket;
  }

  links(): readonly Link[] {
    return this.#dump(RTM_LINK.GET, linkHeader(0)).map(parseLink);
  }

  setLink(index: number, change: LinkChange): void {
    this.#change(RTM_LINK.NEW, 0, linkChange(index, change));
  }

  addresses(): readonly Address[] {
    return this.#dump(RTM_ADDRESS.GET, addressHeader()).flatMap((body) => parseLinkAddress(body) ?? []);
  }

  addAddress(address: Omit<Address, "permanent" | "family">): void {
    this.#change(RTM_ADDRESS.NEW, NLM_F.CREATE | NLM_F.EXCL, addressChange(address));
  }

  deleteAddress(address: Omit<Address, "permanent" | "family">): void {
    this.#change(RTM_ADDRESS.DELETE, 0, addressChange(address));
  }

  routes(): readonly Route[] {
    return this.#dump(RTM_ROUTE.GET, routeHeader()).flatMap((body) => parseRoute(body) ?? []);
  }

  addRoute(route: RouteChange): void {
    this.#change(RTM_ROUTE.NEW, NLM_F.CREATE, routeChange(route, RTPROT.BOOT));
  }

  deleteRoute(route: RouteChange): void {
    this.#change(RTM_ROUTE.DELETE, 0, routeChange(route, RTPROT.UNSPECIFIED));
  }

  neighbours(): readonly Neighbour[] {
    return this.#dump(RTM_NEIGHBOUR.GET, neighbourHeader()).flatMap((body) => parseNeighbour(body) ?? []);
  }

  setNeighbour(neighbour: Omit<Neighbour, "family">): void {
    this.#change(RTM_NEIGHBOUR.NEW, NLM_F.CREATE | NLM_F.REPLACE, neighbourChange(neighbour));
  }

  ingressLinks(): readonly number[] {
    return this.#dump(RTM_QDISC.GET, qdiscHeader()).flatMap((body) => parseIngress(body) ?? []);
  }

  addIngress(link: number): void {
    this.#change(RTM_QDISC.NEW, NLM_F.CREATE | NLM_F.EXCL, ingressChange(link));
  }

  deleteIngress(link: number): void {
    this.#change(RTM_QDISC.DELETE, 0, ingressChange(link));
  }

  redirect(from: number, to: number, preference: number): void {
    this.#change(RTM_FILTER.NEW, NLM_F.CREATE | NLM_F.EXCL, redirectChange(from, to, preference));
  }

  filterPreferences(link: number): readonly number[] {
    return this.#dump(RTM_FILTER.GET, filterHeader(link)).map(parseFilterPreference);
  }

  #dump(type: number, fixed: Uint8Array): Uint8Array[] {
    return this.#request(type, NLM_F.DUMP, { fixed, attributes: [] });
  }

  #change(type: number, flags: number, change: Change): void {
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
