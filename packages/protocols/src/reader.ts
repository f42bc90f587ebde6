import { KataError } from "@kata-containers/sys";
import type { Codec } from "./codec.ts";

/**
 * The most list elements, map entries and nested messages that one decode makes: two bytes on the wire can stand for a
 * message of a kilobyte in memory, so the size of the input alone bounds nothing. A large pod's spec has some thousands.
 */
export const MAX_ELEMENTS = 65_536;

/** Groups (wire types 3 and 4) nest; nobody sends them, so a few levels are plenty to skip. */
const MAX_GROUP_DEPTH = 16;

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

const NOTHING = new Uint8Array(0);
const STRICT = { fatal: true, ignoreBOM: true };
const decoder = new TextDecoder("utf-8", STRICT);

/**
 * Walks the protobuf wire format (https://protobuf.dev/programming-guides/encoding). Strict: a varint of more than 64
 * bits, a field cut short, a length past the end, a wire type that is not the field's, a field number 0 and invalid
 * UTF-8 are all KataError InvalidArgument.
 */
export class Reader {
  /** Number of the current field. */
  field = 0;
  private wire = 0;
  private bytes: Uint8Array = NOTHING;
  private typeName = "";
  private at = 0;
  private end = 0;
  private elements = 0;
  // The last varint's low and high 32 bits, unsigned.
  private low = 0;
  private high = 0;

  /** Reads one whole message; a Reader reads one after the other. */
  read<T>(
    bytes: Uint8Array,
    typeName: string,
    message: T,
    readField: (message: T, reader: Reader) => boolean,
  ): T {
    this.bytes = bytes;
    this.typeName = typeName;
    this.field = 0;
    this.at = 0;
    this.end = bytes.length;
    this.elements = 0;
    this.fields(message, readField);
    this.bytes = NOTHING;
    return message;
  }

  /** Reads every field up to the end of the message. */
  private fields<T>(message: T, readField: (message: T, reader: Reader) => boolean): void {
    while (this.at < this.end) {
      const first = this.bytes[this.at] ?? 0;
      if (first >= 0x08 && first < 0x80) {
        // One byte, as nearly every tag: without the calls, which cost more than the work on QuickJS.
        this.at += 1;
        this.field = first >>> 3;
        this.wire = first & 7;
      } else {
        this.tag();
      }
      if (!readField(message, this)) {
        this.skip(0);
      }
    }
  }

  uint32(): number {
    this.expect(VARINT);
    this.varint();
    return this.low;
  }

  int32(): number {
    this.expect(VARINT);
    this.varint();
    return this.low | 0;
  }

  bool(): boolean {
    this.expect(VARINT);
    this.varint();
    return this.low !== 0 || this.high !== 0;
  }

  /** @throws also when the value is past Number.MAX_SAFE_INTEGER */
  uint64(): number {
    this.expect(VARINT);
    this.varint();
    if (this.high > 0x1f_ffff) {
      throw this.invalid("integer past 2^53 - 1");
    }
    return this.high * 0x1_0000_0000 + this.low;
  }

  /** @throws also when the value is past Number.MAX_SAFE_INTEGER either way */
  int64(): number {
    this.expect(VARINT);
    this.varint();
    const value = (this.high | 0) * 0x1_0000_0000 + this.low;
    if (!Number.isSafeInteger(value)) {
      throw this.invalid("integer past 2^53 - 1");
    }
    return value;
  }

  uint64Big(): bigint {
    this.expect(VARINT);
    this.varint();
    return this.high === 0 ? BigInt(this.low) : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  int64Big(): bigint {
    return BigInt.asIntN(64, this.uint64Big());
  }

  string(): string {
    const start = this.delimited();
    try {
      return start === this.at ? "" : decoder.decode(this.bytes.subarray(start, this.at));
    } catch {
      throw this.invalid("string that is not UTF-8");
    }
  }

  /** A view, not a copy. */
  bytesView(): Uint8Array {
    const start = this.delimited();
    return this.bytes.subarray(start, this.at);
  }

  /** A nested message, merged into `into` when the field has come before. */
  message<T extends object>(codec: Codec<T>, into?: T): T {
    this.count();
    const message = into ?? codec.empty();
    const outerEnd = this.enter();
    this.fields(message, codec.readField);
    this.end = outerEnd;
    return message;
  }

  /** Appends the elements of a list of numbers, packed or not. */
  numbers<T>(list: T[], read: (reader: Reader) => T): void {
    if (this.wire !== DELIMITED) {
      this.count();
      list.push(read(this));
      return;
    }
    const outerEnd = this.enter();
    this.wire = VARINT;
    while (this.at < this.end) {
      this.count();
      list.push(read(this));
    }
    this.end = outerEnd;
  }

  /** Appends one element of a list of strings or bytes. */
  element<T>(list: T[], value: T): void {
    this.count();
    list.push(value);
  }

  /** One entry of a map whose keys are strings: a message of key (1) and value (2). */
  entry<V>(map: Map<string, V>, absent: V, read: (reader: Reader) => V): void {
    this.count();
    let key = "";
    let value = absent;
    const outerEnd = this.enter();
    while (this.at < this.end) {
      this.tag();
      if (this.field === 1) {
        key = this.string();
      } else if (this.field === 2) {
        value = read(this);
      } else {
        this.skip(0);
      }
    }
    this.end = outerEnd;
    map.set(key, value);
  }

  /** Goes into a length-delimited field: `end` becomes the field's; returns the outer one, to be put back. */
  private enter(): number {
    const start = this.delimited();
    const outerEnd = this.end;
    this.end = this.at;
    this.at = start;
    return outerEnd;
  }

  private count(): void {
    this.elements += 1;
    if (this.elements > MAX_ELEMENTS) {
      throw this.invalid(`more than ${MAX_ELEMENTS} elements`);
    }
  }

  private tag(): void {
    this.varint();
    this.field = this.low >>> 3;
    this.wire = this.low & 7;
    if (this.high !== 0 || this.field === 0) {
      throw this.invalid("bad field number");
    }
  }

  private skip(depth: number): void {
    switch (this.wire) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.advance(8);
        return;
      case DELIMITED:
        this.delimited();
        return;
      case FIXED32:
        this.advance(4);
        return;
      case START_GROUP:
        this.skipGroup(this.field, depth + 1);
        return;
      default:
        throw this.invalid(`unexpected wire type ${this.wire}`);
    }
  }

  private skipGroup(number: number, depth: number): void {
    if (depth > MAX_GROUP_DEPTH) {
      throw this.invalid("groups nested too deeply");
    }
    for (;;) {
      this.tag();
      if (this.wire === END_GROUP) {
        if (this.field !== number) {
          throw this.invalid("group ends with another's number");
        }
        return;
      }
      this.skip(depth);
    }
  }

  /** Steps over a length and what it counts; returns where that starts, and `at` is where it ends. */
  private delimited(): number {
    this.expect(DELIMITED);
    this.varint();
    const start = this.at;
    const length = this.low;
    if (this.high !== 0 || length > this.end - start) {
      throw this.invalid("length past the end");
    }
    this.at = start + length;
    return start;
  }

  private advance(count: number): void {
    if (count > this.end - this.at) {
      throw this.invalid("cut short");
    }
    this.at += count;
  }

  private expect(wire: number): void {
    if (this.wire !== wire) {
      throw this.invalid(`wire type ${this.wire} where ${wire} belongs`);
    }
  }

  private varint(): void {
    let value = this.at < this.end ? (this.bytes[this.at] ?? 0x80) : 0x80;
    if (value < 0x80) {
      this.at += 1;
      this.low = value;
      this.high = 0;
      return;
    }
    value = this.byte();
    let low = value & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      value = this.byte();
      low |= (value & 0x7f) << shift;
      if (value < 0x80) {
        this.low = low;
        this.high = 0;
        return;
      }
    }
    value = this.byte(); // bits 28-34: four go low, three go high
    this.low = (low | ((value & 0x0f) << 28)) >>> 0;
    this.high = this.highBits(value);
  }

  private highBits(fifth: number): number {
    let high = (fifth & 0x7f) >>> 4;
    let value = fifth;
    for (let shift = 3; value >= 0x80; shift += 7) {
      value = this.byte();
      if (shift === 31 && value > 1) {
        throw this.invalid("integer of more than 64 bits");
      }
      high |= (value & 0x7f) << shift;
    }
    return high >>> 0;
  }

  private byte(): number {
    const value = this.at < this.end ? this.bytes[this.at] : undefined;
    if (value === undefined) {
      throw this.invalid("cut short");
    }
    this.at += 1;
    return value;
  }

  private invalid(why: string): KataError {
    return new KataError(
      "InvalidArgument",
      `${this.typeName}: field ${this.field}: ${why} (byte ${this.at})`,
    );
  }
}
