// rtnetlink(7) in TypeScript: the links, addresses, routes and neighbours of a network namespace, and tc's redirection of frames.

export type { Address } from "./address.ts";
export {
  addressBits,
  FAMILY,
  type Family,
  parseAddress,
  parseLength,
  plainAddress,
  plainPrefix,
} from "./ip-address.ts";
export { stopIpv6Generation } from "./ipv6-generation.ts";
export { ARPHRD, IFF, type Link, type LinkChange, MAX_LINK_NAME } from "./link.ts";
export { parseMac } from "./mac-address.ts";
export { type Neighbour, NUD } from "./neighbour.ts";
export { type NetworkChanges, watchNetwork } from "./network-changes.ts";
export { type Route, type RouteChange, RTPROT } from "./route.ts";
export { openRtnetlink, type Rtnetlink } from "./rtnetlink.ts";
export { openTrafficControl, type TrafficControl } from "./traffic-control.ts";
