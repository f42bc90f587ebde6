import { addressBits, FAMILY, type Family, IFF, type Neighbour, type Route } from "@kata-containers/netlink";
import {
  type ARPNeighbor,
  type Init,
  type Interface,
  IPFamily,
  type Route as RouteMessage,
} from "@kata-containers/protocols";
import type { Endpoint, NetworkView } from "./network-view.ts";

/** RTNH_F_ONLINK of rtnetlink(7). */
const ONLINK = 4;

const familyMessage = (family: Family) => (family === FAMILY.IPV4 ? IPFamily.v4 : IPFamily.v6);

/** What UpdateInterface says of an endpoint: the guest's network card is to be like it. */
export function interfaceMessage({ link, addresses }: Endpoint): Init<Interface> {
  return {
    device: link.name,
    name: link.name,
    IPAddresses: addresses.map(({ family, address, prefix }) => ({
      family: familyMessage(family),
      address,
      mask: String(prefix),
    })),
    mtu: link.mtu,
    hwAddr: link.mac,
    rawFlags: link.flags & IFF.NOARP,
  };
}

/** What UpdateRoutes says: all routes that can be told in its words. */
export function routeMessages(view: NetworkView): Init<RouteMessage>[] {
  return view.routes.filter((route) => route.beyond === undefined).map((route) => routeMessage(route, view));
}

function routeMessage(route: Route, view: NetworkView): Init<RouteMessage> {
  return {
    dest: route.destination ?? "",
    gateway: route.gateway ?? "",
    device: nameOf(route.link, view),
    source: route.source ?? "",
    scope: route.scope,
    family: familyMessage(route.family),
    flags: route.onLink ? ONLINK : 0,
    mtu: route.mtu,
    metric: route.metric,
  };
}

/** What AddARPNeighbors says. */
export function neighbourMessages(view: NetworkView): Init<ARPNeighbor>[] {
  return view.neighbours.map((neighbour) => neighbourMessage(neighbour, view));
}

function neighbourMessage(neighbour: Neighbour, view: NetworkView): Init<ARPNeighbor> {
  const { family, address, mac, state, flags } = neighbour;
  return {
    toIPAddress: { family: familyMessage(family), address, mask: String(addressBits(family)) },
    device: nameOf(neighbour.link, view),
    lladdr: mac,
    state,
    flags,
  };
}

function nameOf(index: number, view: NetworkView): string {
  return view.endpoints.find(({ link }) => link.index === index)?.link.name ?? "";
}
