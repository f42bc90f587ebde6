import { FAMILY, type Family, formatAddress, parseAddress, parsePrefix } from "./ip-address.ts";
import { attribute, nested, Reply, u32Attribute } from "./message.ts";
import type { Change } from "./route-socket.ts";

export const RTM_ROUTE = { NEW: 24, DELETE: 25, GET: 26 } as const;
/** rtmsg: family u8, dst_len u8, src_len u8, tos u8, table u8, protocol u8, scope u8, type u8, flags u32. */
const RTMSG = 12;
const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
  ENCAP: 22,
} as const;
const RTAX_MTU = 2;
const RTN_UNICAST = 1;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RT_TABLE_MAIN = 254;
/** Who made a route: rtnetlink(7). */
export const RTPROT = { UNSPECIFIED: 0, KERNEL: 2, BOOT: 3, RA: 9 } as const;

/** A route of the main table. */
export type Route = {
  readonly family: Family;
  /** "10.0.0.0/8"; undefined: the default route. */
  readonly destination: string | undefined;
  readonly gateway: string | undefined;
  /** Index of the link that it leads out of. */
  readonly link: number;
  /** The address that packets have as their source, when it is said. */
  readonly source: string | undefined;
  readonly scope: number;
  /** Smaller ones go first. IPv6's default is 1024. */
  readonly metric: number;
  /** The gateway is on the link, though no address of the link says so. */
  readonly onLink: boolean;
  /** 0: the link's. */
  readonly mtu: number;
  /** RTPROT_* */
  readonly protocol: number;
  /** What of it has no place in here: "multipath", "type 7"; undefined: it is told in full. */
  readonly beyond: string | undefined;
};

/** @returns undefined for what is no route of the main table */
export function parseRoute(body: Uint8Array): Route | undefined {
  const reply = new Reply("route", body, RTMSG);
  const family = reply.u8(0);
  if (family !== FAMILY.IPV4 && family !== FAMILY.IPV6) return undefined;
  if ((reply.number(RTA.TABLE) ?? reply.u8(4)) !== RT_TABLE_MAIN) return undefined;
  const flags = reply.u32(8);
  if (flags & RTM_F_CLONED) return undefined;
  const text = (type: number): string | undefined => {
    const bytes = reply.bytes(type);
    return bytes === undefined ? undefined : formatAddress(bytes);
  };
  const destination = text(RTA.DST);
  return {
    family,
    destination: destination === undefined ? undefined : `${destination}/${reply.u8(1)}`,
    gateway: text(RTA.GATEWAY),
    link: reply.number(RTA.OIF) ?? 0,
    source: text(RTA.PREFSRC),
    scope: reply.u8(6),
    metric: reply.number(RTA.PRIORITY) ?? 0,
    onLink: (flags & RTNH_F_ONLINK) !== 0,
    mtu: reply.nested(RTA.METRICS)?.number(RTAX_MTU) ?? 0,
    protocol: reply.u8(5),
    beyond: beyond(reply),
  };
}

function beyond(reply: Reply): string | undefined {
  if (reply.u8(7) !== RTN_UNICAST) return `type ${reply.u8(7)}`;
  if (reply.has(RTA.MULTIPATH)) return "multipath";
  if (reply.has(RTA.VIA)) return "gateway of another family";
  if (reply.has(RTA.ENCAP)) return "encapsulation";
  if (reply.u8(2) !== 0) return "source prefix";
  return undefined;
}

/** The fixed part of a dump of all routes. */
export const routeHeader = (): Uint8Array => new Uint8Array(RTMSG);

/** A route to add or to delete. */
export type RouteChange = Omit<Route, "protocol" | "beyond">;

/**
 * Of a message that adds or deletes a route.
 * @param protocol RTPROT_*: who makes it; to delete one whoever made it, UNSPECIFIED
 * @throws KataError InvalidArgument
 */
export function routeChange(route: RouteChange, protocol: number): Change {
  const destination = route.destination === undefined ? undefined : parsePrefix(route.destination);
  const fixed = new Uint8Array(RTMSG);
  fixed.set([
    route.family,
    destination?.length ?? 0,
    0,
    0,
    RT_TABLE_MAIN,
    protocol,
    route.scope,
    RTN_UNICAST,
  ]);
  new DataView(fixed.buffer).setUint32(8, route.onLink ? RTNH_F_ONLINK : 0, true);
  const { gateway, source, metric, mtu } = route;
  return {
    fixed,
    attributes: [
      ...(destination === undefined ? [] : [attribute(RTA.DST, destination.bytes)]),
      ...(gateway === undefined ? [] : [attribute(RTA.GATEWAY, parseAddress(gateway).bytes)]),
      ...(source === undefined ? [] : [attribute(RTA.PREFSRC, parseAddress(source).bytes)]),
      u32Attribute(RTA.OIF, route.link),
      ...(metric === 0 ? [] : [u32Attribute(RTA.PRIORITY, metric)]),
      ...(mtu === 0 ? [] : [nested(RTA.METRICS, [u32Attribute(RTAX_MTU, mtu)])]),
    ],
  };
}
