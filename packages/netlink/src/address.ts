import { addressBits, FAMILY, type Family, formatAddress, parseAddress } from "./ip-address.ts";
import { attribute, Reply, u32Attribute } from "./message.ts";
import type { Change } from "./route-socket.ts";

export const RTM_ADDRESS = { NEW: 20, DELETE: 21, GET: 22 } as const;
/** ifaddrmsg: family u8, prefix length u8, flags u8, scope u8, index u32. */
const IFADDRMSG = 8;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F = { NODAD: 2, PERMANENT: 0x80 } as const;

/** An address of a link. */
export type Address = {
  readonly link: number;
  readonly family: Family;
  readonly address: string;
  /** Bits of the network's prefix. */
  readonly prefix: number;
  /** Without an end: not one that a router's advertisement, or DHCP, gave for some time. */
  readonly permanent: boolean;
};

/** @returns undefined for a family that is none of IP's */
export function parseLinkAddress(body: Uint8Array): Address | undefined {
  const reply = new Reply("address", body, IFADDRMSG);
  const family = reply.u8(0);
  if (family !== FAMILY.IPV4 && family !== FAMILY.IPV6) return undefined;
  // Of a point-to-point link ADDRESS is the other end's.
  const bytes = reply.bytes(IFA.LOCAL) ?? reply.bytes(IFA.ADDRESS);
  if (bytes?.length !== addressBits(family) / 8) return undefined;
  return {
    link: reply.u32(4),
    family,
    address: formatAddress(bytes),
    prefix: reply.u8(1),
    permanent: ((reply.number(IFA.FLAGS) ?? reply.u8(2)) & IFA_F.PERMANENT) !== 0,
  };
}

/** The fixed part of a dump of all addresses. */
export const addressHeader = (): Uint8Array => new Uint8Array(IFADDRMSG);

/** Of a message that adds or deletes an address. IPv6's duplicate detection is left out. @throws KataError InvalidArgument */
export function addressChange(address: Omit<Address, "permanent" | "family">): Change {
  const { family, bytes } = parseAddress(address.address);
  const fixed = new Uint8Array(IFADDRMSG);
  fixed.set([family, address.prefix]);
  new DataView(fixed.buffer).setUint32(4, address.link, true);
  const attributes = [attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes)];
  if (family === FAMILY.IPV6) attributes.push(u32Attribute(IFA.FLAGS, IFA_F.NODAD));
  else if (address.prefix < 31) attributes.push(attribute(IFA.BROADCAST, broadcast(bytes, address.prefix)));
  return { fixed, attributes };
}

/** The last address of an IPv4 network. */
function broadcast(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, prefix - index * 8))));
}
