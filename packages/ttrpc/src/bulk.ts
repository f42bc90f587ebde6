import type { BlockStore } from "./transport.ts";

/** A field of a message whose bytes are in a block. The message is `rest` (other fields, encoded) and then the field. */
export class Bulk {
  readonly field: number;
  readonly block: number;
  readonly length: number;

  constructor(field: number, block: number, length: number) {
    this.field = field;
    this.block = block;
    this.length = length;
  }
}

/**
 * Lets a handler answer with one read of a descriptor that never enters JavaScript:
 * `return bulk(1, await ops.readBlock(fd, len))`. Frees the block in the end. An empty read gives no block: answer it
 * as any other message.
 * @param field number of the bytes field
 */
export function bulk(field: number, read: { readonly block: number; readonly len: number }): Bulk {
  return new Bulk(field, read.block, read.len);
}

/** Bytes that were received: `head`, which JavaScript has seen, then a block that it has not. Write or free it, once. */
export class BulkData {
  readonly length: number;
  private readonly head: Uint8Array;
  private readonly blocks: BlockStore;
  private block: number | undefined;

  constructor(head: Uint8Array, blocks: BlockStore, block?: number, blockLength = 0) {
    this.head = head;
    this.blocks = blocks;
    this.block = block;
    this.length = head.length + blockLength;
  }

  /** Writes it all to a descriptor. */
  async writeTo(fd: number): Promise<void> {
    const block = this.block;
    this.block = undefined;
    if (this.length > 0) {
      await this.blocks.write(fd, this.head, block);
    }
  }

  free(): void {
    if (this.block !== undefined) {
      this.blocks.free(this.block);
      this.block = undefined;
    }
  }
}

/** Where the bulk field is in a frame's data: see {@link locateBulk}. */
export interface BulkPlace {
  /** Number of the field. */
  readonly field: number;
  /** The outer message's other fields that come before its payload. */
  readonly outer: Uint8Array;
  /** The payload's other fields. */
  readonly inner: Uint8Array;
  readonly start: number;
  readonly length: number;
  /** Bytes of the outer message behind the payload. */
  readonly tail: number;
}

/**
 * Finds the bytes field `field` of the message in the payload field of a ttRPC request or response, from the first bytes
 * of the frame's data. Undefined when it is not within them, or is not the message's last field: then the frame is read
 * as any other.
 */
export function locateBulk(
  data: Uint8Array,
  total: number,
  payload: number,
  field: number,
): BulkPlace | undefined {
  const outer = findField(data, 0, total, payload);
  if (!outer || outer.start + outer.length > total) {
    return undefined;
  }
  const end = outer.start + outer.length;
  const inner = findField(data, outer.start, end, field);
  if (!inner || inner.start + inner.length !== end) {
    return undefined;
  }
  return {
    field,
    outer: data.subarray(0, outer.tagAt),
    inner: data.subarray(outer.start, inner.tagAt),
    start: inner.start,
    length: inner.length,
    tail: total - end,
  };
}

/** Splits a message that is all at hand into the bytes of a field and the encoding of its other fields. */
export function splitField(message: Uint8Array, field: number): { rest: Uint8Array; value: Uint8Array } {
  const found = findField(message, 0, message.length, field);
  if (!found || found.start + found.length > message.length) {
    return { rest: message, value: new Uint8Array(0) };
  }
  const end = found.start + found.length;
  return {
    rest: joinBytes(message.subarray(0, found.tagAt), message.subarray(end)),
    value: message.subarray(found.start, end),
  };
}

/** The first bytes and then the others; no copy when one is empty. */
export function joinBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0 || second.length === 0) {
    return first.length === 0 ? second : first;
  }
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

export interface Field {
  readonly tagAt: number;
  readonly start: number;
  readonly length: number;
}

/** The first length-delimited field of that number at or after `from`, as far as the bytes at hand show. */
export function findField(data: Uint8Array, from: number, end: number, number: number): Field | undefined {
  let at = from;
  while (at < end) {
    const tag = varint(data, at);
    if (!tag) {
      return undefined;
    }
    const value = varint(data, tag.next);
    if (!value) {
      return undefined;
    }
    if ((tag.value & 7) === 0) {
      at = value.next;
    } else if ((tag.value & 7) !== 2) {
      return undefined;
    } else if (tag.value === number * 8 + 2) {
      return { tagAt: at, start: value.next, length: value.value };
    } else {
      at = value.next + value.value;
    }
  }
  return undefined;
}

/** A varint; past 2^53 it is not exact, which is too long a length and no known tag either way. */
function varint(data: Uint8Array, from: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let unit = 1, at = from; at < from + 10; unit *= 0x80, at += 1) {
    const byte = data[at];
    if (byte === undefined) {
      return undefined;
    }
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) {
      return { value, next: at + 1 };
    }
  }
  return undefined;
}
