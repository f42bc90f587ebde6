import { KataError } from "@kata-containers/sys";

/** nlmsghdr: len u32, type u16, flags u16, seq u32, port u32 (netlink(7)). */
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** Of an attribute's type: the rest says "nested" and "network byte order". */
const TYPE_MASK = 0x3fff;

export const NLM_F = {
  REQUEST: 1,
  ACK: 4,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  DUMP: 0x300,
} as const;

const aligned = (length: number): number => (length + 3) & ~3;

/** One netlink message: the header, a family's fixed part and its attributes, padded each. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  fixed: Uint8Array,
  attributes: readonly Uint8Array[] = [],
): Uint8Array {
  const body = concat([fixed, ...attributes]);
  const message = new Uint8Array(HEADER + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  message.set(body, HEADER);
  return message;
}

/** An attribute of rtnetlink(7): its length without padding, its type, its bytes. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER + value.length;
  const bytes = new Uint8Array(aligned(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(value, ATTRIBUTE_HEADER);
  return bytes;
}

export function nested(type: number, attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type, concat(attributes));
}

/** NUL-terminated. */
export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, new TextEncoder().encode(`${text}\0`));
}

export function u32Attribute(type: number, value: number): Uint8Array {
  return attribute(type, u32(value));
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A reply's body: what the kernel says is checked before it is used, whichever kernel it is. */
export class Reply {
  readonly #what: string;
  readonly #fixed: DataView;
  readonly #attributes: ReadonlyMap<number, Uint8Array>;

  /**
   * @param what for errors: "link"
   * @param fixedLength bytes of the family's fixed part
   * @throws KataError Internal when it is not whole
   */
  constructor(what: string, body: Uint8Array, fixedLength: number) {
    this.#what = what;
    if (body.length < fixedLength) throw this.#broken(`${body.length} bytes, not ${fixedLength} or more`);
    this.#fixed = new DataView(body.buffer, body.byteOffset, fixedLength);
    this.#attributes = this.#parse(body.subarray(fixedLength));
  }

  u8(offset: number): number {
    return this.#fixed.getUint8(offset);
  }

  u16(offset: number): number {
    return this.#fixed.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.#fixed.getUint32(offset, true);
  }

  has(type: number): boolean {
    return this.#attributes.has(type);
  }

  /** The attribute's bytes; undefined when it is not there. */
  bytes(type: number): Uint8Array | undefined {
    return this.#attributes.get(type);
  }

  /** A number attribute; undefined when it is not there. */
  number(type: number): number | undefined {
    const bytes = this.#attributes.get(type);
    if (bytes === undefined) return undefined;
    if (bytes.length !== 4) throw this.#broken(`attribute ${type} has ${bytes.length} bytes, not 4`);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  /** A text attribute up to its NUL; "" when it is not there. */
  text(type: number): string {
    const bytes = this.#attributes.get(type) ?? new Uint8Array();
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The attributes inside of one. */
  nested(type: number): Reply | undefined {
    const bytes = this.#attributes.get(type);
    return bytes === undefined ? undefined : new Reply(this.#what, bytes, 0);
  }

  #parse(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
    const attributes = new Map<number, Uint8Array>();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length; ) {
      const length = view.getUint16(at, true);
      if (length < ATTRIBUTE_HEADER || at + length > bytes.length)
        throw this.#broken(`an attribute of ${length} bytes at ${at} of ${bytes.length}`);
      attributes.set(
        view.getUint16(at + 2, true) & TYPE_MASK,
        bytes.subarray(at + ATTRIBUTE_HEADER, at + length),
      );
      at += aligned(length);
    }
    return attributes;
  }

  #broken(why: string): KataError {
    return new KataError("Internal", `netlink: ${this.#what}: ${why}`);
  }
}
