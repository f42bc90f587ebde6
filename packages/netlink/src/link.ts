import { formatMac, parseMac } from "./mac-address.ts";
import { attribute, nested, Reply, textAttribute, u32Attribute } from "./message.ts";
import type { Change } from "./route-socket.ts";

/** netdevice(7) flags. */
export const IFF = { UP: 1, LOOPBACK: 8, NOARP: 0x80 } as const;
/** Device types of net/if_arp.h. */
export const ARPHRD = { ETHERNET: 1 } as const;
/** Longest name, bytes: IFNAMSIZ less the NUL. */
export const MAX_LINK_NAME = 15;

export const RTM_LINK = { NEW: 16, DELETE: 17, GET: 18 } as const;
/** ifinfomsg: family u8, pad, type u16, index i32, flags u32, change u32. */
const IFINFOMSG = 16;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINKINFO: 18, AF_SPEC: 26 } as const;
const IFLA_INFO_KIND = 1;
const AF_INET6 = 10;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;

/** A network interface. */
export type Link = {
  readonly index: number;
  readonly name: string;
  /** What the kernel calls a virtual one: "veth", "macvlan", "tun"; "" for all else, hardware first of all. */
  readonly kind: string;
  /** ARPHRD_*: Ethernet or something else. */
  readonly hardware: number;
  /** IFF_* */
  readonly flags: number;
  readonly mtu: number;
  readonly mac: string;
};

/** What of a link is changed; the rest stays. */
export type LinkChange = {
  readonly name?: string;
  readonly mtu?: number;
  readonly mac?: string;
  readonly up?: boolean;
  /** Whether its neighbours' hardware addresses are asked for. */
  readonly arp?: boolean;
  /** It gets no IPv6 address of the kernel's making. */
  readonly noIpv6Generation?: boolean;
};

export function parseLink(body: Uint8Array): Link {
  const reply = new Reply("link", body, IFINFOMSG);
  return {
    index: reply.u32(4),
    name: reply.text(IFLA.IFNAME),
    kind: reply.nested(IFLA.LINKINFO)?.text(IFLA_INFO_KIND) ?? "",
    hardware: reply.u16(2),
    flags: reply.u32(8),
    mtu: reply.number(IFLA.MTU) ?? 0,
    mac: formatMac(reply.bytes(IFLA.ADDRESS) ?? new Uint8Array()),
  };
}

/** The fixed part of a message about a link. @param index 0: all */
export function linkHeader(index: number, flags = 0, mask = 0): Uint8Array {
  const header = new Uint8Array(IFINFOMSG);
  const view = new DataView(header.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, mask, true);
  return header;
}

/** The header and attributes of a message that changes a link. @throws KataError InvalidArgument */
export function linkChange(index: number, change: LinkChange): Change {
  const { name, mtu, mac, up, arp } = change;
  const mask = (up === undefined ? 0 : IFF.UP) | (arp === undefined ? 0 : IFF.NOARP);
  const flags = (up === true ? IFF.UP : 0) | (arp === false ? IFF.NOARP : 0);
  return {
    fixed: linkHeader(index, flags, mask),
    attributes: [
      ...(name === undefined ? [] : [textAttribute(IFLA.IFNAME, name)]),
      ...(mtu === undefined ? [] : [u32Attribute(IFLA.MTU, mtu)]),
      ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, parseMac(mac))]),
      ...(change.noIpv6Generation ? [noIpv6Generation()] : []),
    ],
  };
}

function noIpv6Generation(): Uint8Array {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE));
  return nested(IFLA.AF_SPEC, [nested(AF_INET6, [mode])]);
}
