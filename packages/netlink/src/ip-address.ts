import { KataError } from "@kata-containers/sys";

/** AF_INET, AF_INET6. */
export const FAMILY = { IPV4: 2, IPV6: 10 } as const;
export type Family = (typeof FAMILY)[keyof typeof FAMILY];

/** Bits of an address. */
export const addressBits = (family: Family): number => (family === FAMILY.IPV4 ? 32 : 128);

/**
 * An IPv4 or IPv6 address as text (RFC 5952 for IPv6, without its dotted form).
 * @throws KataError Internal for bytes of another length
 */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new KataError("Internal", `an IP address of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16));
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return groups.join(":");
  const [front, back] = [groups.slice(0, zeros.start), groups.slice(zeros.start + zeros.length)];
  return `${front.join(":")}::${back.join(":")}`;
}

function longestZeros(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** @throws KataError InvalidArgument */
export function parseAddress(text: string): { readonly family: Family; readonly bytes: Uint8Array } {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw new KataError("InvalidArgument", `${JSON.stringify(text)} is no IP address`);
  return { family: bytes.length === 4 ? FAMILY.IPV4 : FAMILY.IPV6, bytes };
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  const valid = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return valid ? Uint8Array.from(parts, Number) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const sides = text.split("::");
  if (sides.length > 2) return undefined;
  const [front = [], back = []] = sides.map(groupsOf);
  const missing = 8 - front.length - back.length;
  const groups =
    sides.length === 1 ? front : missing > 0 ? [...front, ...Array(missing).fill(0), ...back] : [];
  if (groups.length !== 8 || groups.some(Number.isNaN)) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The 16-bit groups of one side of "::"; NaN for what is none. The last may be dotted: two groups. */
function groupsOf(side: string): number[] {
  if (side === "") return [];
  return side.split(":").flatMap((part, index, all) => {
    const dotted = index === all.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (dotted !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = dotted;
      return [(a << 8) | b, (c << 8) | d];
    }
    return [/^[0-9a-fA-F]{1,4}$/.test(part) ? Number.parseInt(part, 16) : Number.NaN];
  });
}

/** An address as the kernel and we write it. @throws KataError InvalidArgument */
export function plainAddress(text: string): string {
  return formatAddress(parseAddress(text).bytes);
}

/** A range of addresses, of which the bits behind its length are zero. */
export type Prefix = { readonly family: Family; readonly bytes: Uint8Array; readonly length: number };

/** "10.0.0.0/8"; what has no length is one address. @throws KataError InvalidArgument */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/");
  const { family, bytes } = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const bits = addressBits(family);
  const length = slash < 0 ? bits : parseLength(text.slice(slash + 1), bits);
  const mask = (index: number): number => 0xff & ~(0xff >> Math.min(8, Math.max(0, length - index * 8)));
  return { family, bytes: bytes.map((byte, index) => byte & mask(index)), length };
}

/** A range as the kernel and we write it: with a length. @throws KataError InvalidArgument */
export function plainPrefix(text: string): string {
  const { bytes, length } = parsePrefix(text);
  return `${formatAddress(bytes)}/${length}`;
}

/** A prefix's length in decimal. @throws KataError InvalidArgument */
export function parseLength(text: string, bits: number): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= bits) return Number(text);
  throw new KataError("InvalidArgument", `${JSON.stringify(text)} is no prefix length up to ${bits}`);
}
