import type { Fd } from "@kata-containers/sys";
import { type Address, addressChange, addressHeader, parseLinkAddress, RTM_ADDRESS } from "./address.ts";
import { type Link, type LinkChange, linkChange, linkHeader, parseLink, RTM_LINK } from "./link.ts";
import { NLM_F } from "./message.ts";
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
import { KernelTrafficControl, type TrafficControl } from "./traffic-control.ts";

/** rtnetlink(7) of one network namespace. Every call throws a SysError when the kernel refuses. */
export interface Rtnetlink extends TrafficControl {
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
}

/**
 * A connection to a network namespace, and it stays with that one.
 * @param namespace descriptor of one; undefined: that of the calling thread
 */
export function openRtnetlink(namespace?: Fd): Rtnetlink {
  return new KernelRtnetlink(namespace);
}

class KernelRtnetlink extends KernelTrafficControl implements Rtnetlink {
  links(): readonly Link[] {
    return this.socket.dump(RTM_LINK.GET, linkHeader(0)).map(parseLink);
  }

  setLink(index: number, change: LinkChange): void {
    this.socket.change(RTM_LINK.NEW, 0, linkChange(index, change));
  }

  addresses(): readonly Address[] {
    return this.socket.dump(RTM_ADDRESS.GET, addressHeader()).flatMap((body) => parseLinkAddress(body) ?? []);
  }

  addAddress(address: Omit<Address, "permanent" | "family">): void {
    this.socket.change(RTM_ADDRESS.NEW, NLM_F.CREATE | NLM_F.EXCL, addressChange(address));
  }

  deleteAddress(address: Omit<Address, "permanent" | "family">): void {
    this.socket.change(RTM_ADDRESS.DELETE, 0, addressChange(address));
  }

  routes(): readonly Route[] {
    return this.socket.dump(RTM_ROUTE.GET, routeHeader()).flatMap((body) => parseRoute(body) ?? []);
  }

  addRoute(route: RouteChange): void {
    this.socket.change(RTM_ROUTE.NEW, NLM_F.CREATE, routeChange(route, RTPROT.BOOT));
  }

  deleteRoute(route: RouteChange): void {
    this.socket.change(RTM_ROUTE.DELETE, 0, routeChange(route, RTPROT.UNSPECIFIED));
  }

  neighbours(): readonly Neighbour[] {
    return this.socket
      .dump(RTM_NEIGHBOUR.GET, neighbourHeader())
      .flatMap((body) => parseNeighbour(body) ?? []);
  }

  setNeighbour(neighbour: Omit<Neighbour, "family">): void {
    this.socket.change(RTM_NEIGHBOUR.NEW, NLM_F.CREATE | NLM_F.REPLACE, neighbourChange(neighbour));
  }
}
