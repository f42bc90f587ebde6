import { FAMILY, type Family, formatAddress, parseAddress } from "./ip-address.ts";
import { formatMac, parseMac } from "./mac-address.ts";
import { attribute, Reply } from "./message.ts";
import type { Change } from "./route-socket.ts";

export const RTM_NEIGHBOUR = { NEW: 28, DELETE: 29, GET: 30 } as const;
/** ndmsg: family u8, pad, index i32 at 4, state u16, flags u8, type u8. */
const NDMSG = 12;
const NDA = { DST: 1, LLADDR: 2 } as const;
/** Neighbour states of arp(7) that we name. */
export const NUD = { PERMANENT: 0x80 } as const;

/** What hardware address an IP address has on a link. */
export type Neighbour = {
  readonly family: Family;
  readonly link: number;
  readonly address: string;
  readonly mac: string;
  /** NUD_* */
  readonly state: number;
  /** NTF_* */
  readonly flags: number;
};

/** @returns undefined for what is no IP neighbour with a hardware address */
export function parseNeighbour(body: Uint8Array): Neighbour | undefined {
  const reply = new Reply("neighbour", body, NDMSG);
  const family = reply.u8(0);
  if (family !== FAMILY.IPV4 && family !== FAMILY.IPV6) return undefined;
  const address = reply.bytes(NDA.DST);
  const mac = reply.bytes(NDA.LLADDR);
  if (address === undefined || mac === undefined) return undefined;
  return {
    family,
    link: reply.u32(4),
    address: formatAddress(address),
    mac: formatMac(mac),
    state: reply.u16(8),
    flags: reply.u8(10),
  };
}

/** The fixed part of a dump of all neighbours. */
export const neighbourHeader = (): Uint8Array => new Uint8Array(NDMSG);

/** Of a message that sets a neighbour. @throws KataError InvalidArgument */
export function neighbourChange(neighbour: Omit<Neighbour, "family">): Change {
  const { family, bytes } = parseAddress(neighbour.address);
  const fixed = new Uint8Array(NDMSG);
  const view = new DataView(fixed.buffer);
  view.setUint8(0, family);
  view.setInt32(4, neighbour.link, true);
  view.setUint16(8, neighbour.state, true);
  view.setUint8(10, neighbour.flags);
  return { fixed, attributes: [attribute(NDA.DST, bytes), attribute(NDA.LLADDR, parseMac(neighbour.mac))] };
}
