import { KataError } from "@kata-containers/sys";
import type { Codec, Init } from "./codec.ts";

const FIRST_CAPACITY = 1024;
/** A buffer that grew past this is not kept for the next message. */
const KEPT_CAPACITY = 65_536;
const { MAX_SAFE_INTEGER, isSafeInteger } = Number;
const MAX_UINT64 = (1n << 64n) - 1n;
const MIN_INT64 = -(1n << 63n);
const MAX_INT64 = (1n << 63n) - 1n;

const encoder = new TextEncoder();

/** Of an entry's first field, a string. */
const KEY_TAG = 10;
/** Keys of maps, encoded, for most come again in the next message: on QuickJS each time would be an op and a buffer of its own. */
const keys = new Map<string, Uint8Array>();
const MAX_KEYS = 256;
const MAX_KEY_LENGTH = 32;

function encodeKey(key: string): Uint8Array {
  const known = keys.get(key);
  if (known !== undefined) {
    return known;
  }
  const bytes = encoder.encode(key);
  if (key.length <= MAX_KEY_LENGTH && keys.size < MAX_KEYS) {
    keys.set(key, bytes);
  }
  return bytes;
}

/**
 * Builds one message after the other in a buffer that it keeps. `start`, then fields, then `finish`. Tags are given
 * whole: field number * 8 + wire type; an element of a packed list has none, 0. Integers that do not fit their field are KataError InvalidArgument.
 */
export class Writer {
  private buffer = new Uint8Array(FIRST_CAPACITY);
  private at = 0;
  private typeName = "";

  /** Begins a message, after `reserved` bytes that the caller fills in. */
  start(typeName: string, reserved = 0): void {
    this.typeName = typeName;
    this.at = reserved;
  }

  /** A copy of what was written since `start`. */
  finish(): Uint8Array {
    const bytes = this.buffer.slice(0, this.at);
    if (this.buffer.length > KEPT_CAPACITY) {
      this.buffer = new Uint8Array(FIRST_CAPACITY);
    }
    return bytes;
  }

  uint32(tag: number, value: number): void {
    if (value >>> 0 !== value) {
      throw this.invalid(tag, value, "uint32");
    }
    this.tag(tag);
    this.varint(value);
  }

  int32(tag: number, value: number): void {
    if ((value | 0) !== value) {
      throw this.invalid(tag, value, "int32");
    }
    this.int64(tag, value);
  }

  bool(tag: number, value: boolean): void {
    this.tag(tag);
    this.varint(value ? 1 : 0);
  }

  uint64(tag: number, value: number): void {
    if (value < 0 || !isSafeInteger(value)) {
      throw this.invalid(tag, value, "uint64");
    }
    this.tag(tag);
    this.varint(value);
  }

  int64(tag: number, value: number): void {
    if (!isSafeInteger(value)) {
      throw this.invalid(tag, value, "int64");
    }
    this.tag(tag);
    if (value >= 0) {
      this.varint(value);
    } else {
      this.negative(value);
    }
  }

  uint64Big(tag: number, value: bigint): void {
    const number = Number(value);
    // Nearly every one: arithmetic of bigints makes one of each step.
    if (number >= 0 && number <= MAX_SAFE_INTEGER) {
      this.tag(tag);
      this.varint(number);
      return;
    }
    if (value < 0n || value > MAX_UINT64) {
      throw this.invalid(tag, value, "uint64");
    }
    this.tag(tag);
    this.varintBig(value);
  }

  int64Big(tag: number, value: bigint): void {
    if (value < MIN_INT64 || value > MAX_INT64) {
      throw this.invalid(tag, value, "int64");
    }
    this.tag(tag);
    this.varintBig(BigInt.asUintN(64, value));
  }

  string(tag: number, value: string): void {
    this.bytes(tag, encoder.encode(value));
  }

  bytes(tag: number, value: Uint8Array): void {
    const { length } = value;
    if (tag >= 0x80 || length >= 0x80) {
      this.lengthOf(tag, length);
      this.raw(value);
      return;
    }
    // As nearly every field: without the calls, which cost more than the work on QuickJS.
    const at = this.at;
    const end = at + 2 + length;
    if (end > this.buffer.length) {
      this.ensure(2 + length);
    }
    this.buffer[at] = tag;
    this.buffer[at + 1] = length;
    this.buffer.set(value, at + 2);
    this.at = end;
  }

  /** A length-delimited field's tag and length; its bytes follow, by `raw` or from elsewhere. */
  lengthOf(tag: number, length: number): void {
    this.varint(tag);
    this.varint(length);
  }

  /** Bytes that are encoded already. */
  raw(value: Uint8Array): void {
    this.ensure(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  message<T extends object>(tag: number, codec: Codec<T>, value: NoInfer<Init<T>>): void {
    const start = this.open(tag);
    codec.writeTo(value, this);
    this.close(start);
  }

  /** Begins a length-delimited field whose length is not known yet; `close` takes what this returns. */
  open(tag: number): number {
    const start = this.at + 2;
    if (tag < 0x80 && start <= this.buffer.length) {
      this.buffer[start - 2] = tag;
      this.at = start;
      return start;
    }
    this.varint(tag);
    this.ensure(1);
    this.at += 1;
    return this.at;
  }

  /** Begins a map's entry, with its key; `close` takes what this returns. */
  openEntry(tag: number, key: string): number {
    const bytes = encodeKey(key);
    const { length } = bytes;
    const start = this.at + 2;
    const end = start + 2 + length;
    if (tag >= 0x80 || length >= 0x80 || end > this.buffer.length) {
      const opened = this.open(tag);
      this.bytes(KEY_TAG, bytes);
      return opened;
    }
    const { buffer } = this;
    buffer[start - 2] = tag;
    buffer[start] = KEY_TAG;
    buffer[start + 1] = length;
    buffer.set(bytes, start + 2);
    this.at = end;
    return start;
  }

  /** Ends a field: one byte was kept for its length, a longer length moves the contents. */
  close(start: number): void {
    const length = this.at - start;
    if (length < 0x80) {
      this.buffer[start - 1] = length;
      return;
    }
    const more = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : length < 0x1000_0000 ? 3 : 4;
    const end = this.at + more;
    this.ensure(more);
    this.buffer.copyWithin(start + more, start, this.at);
    this.at = start - 1;
    this.varint(length);
    this.at = end;
  }

  private tag(tag: number): void {
    if (tag !== 0) {
      this.varint(tag);
    }
  }

  private varint(value: number): void {
    if (value < 0x80 && this.at < this.buffer.length) {
      this.buffer[this.at++] = value;
      return;
    }
    this.ensure(10);
    const { buffer } = this;
    let { at } = this;
    let rest = value;
    // & works on 32 bits: the seven that are wanted come through of any safe integer.
    for (; rest >= 0x8000_0000; rest = Math.floor(rest / 0x80)) {
      buffer[at++] = (rest & 0x7f) | 0x80;
    }
    for (; rest >= 0x80; rest >>>= 7) {
      buffer[at++] = (rest & 0x7f) | 0x80;
    }
    buffer[at] = rest;
    this.at = at + 1;
  }

  /** A negative integer is sign-extended to 64 bits: ten bytes. */
  private negative(value: number): void {
    this.ensure(10);
    let rest = value;
    for (let index = 0; index < 9; index += 1) {
      const bits = ((rest % 0x80) + 0x80) % 0x80;
      this.buffer[this.at++] = bits | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.at++] = 1;
  }

  private varintBig(value: bigint): void {
    this.ensure(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.buffer[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.at++] = Number(rest);
  }

  private ensure(count: number): void {
    const needed = this.at + count;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, this.at));
      this.buffer = larger;
    }
  }

  private invalid(tag: number, value: number | bigint, type: string): KataError {
    return new KataError("InvalidArgument", `${this.typeName}: field ${tag >>> 3}: ${value} is not ${type}`);
  }
}
