import { KataError } from "@kata-containers/sys";
import { alignmentOf, type Basic, parseSignature, type Type } from "./signature.ts";
import type { Value, Variant } from "./value.ts";

const encoder = new TextEncoder();

/** Writes values in little-endian byte order (D-Bus Specification, "Marshaling"). */
export class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** @throws KataError InvalidArgument: a value that the signature cannot carry. */
  write(signature: string, values: readonly Value[]): void {
    const types = parseSignature(signature);
    if (types.length !== values.length)
      throw new KataError(
        "InvalidArgument",
        `D-Bus: ${values.length} values for ${JSON.stringify(signature)}`,
      );
    types.forEach((type, index) => {
      this.#write(type, values[index]);
    });
  }

  align(to: number): void {
    this.#reserve((to - (this.#length % to)) % to);
  }

  #write(type: Type, value: Value | undefined): void {
    this.align(alignmentOf(type.code));
    if (type.code === "v") this.#writeVariant(isVariant(value) ? value : wrong(type, value));
    else if (type.code === "a") this.#writeArray(type.of, value);
    else if (type.code === "(" || type.code === "{") this.#writeFields(type, value);
    else this.#writeBasic(type.code, value);
  }

  #writeFields(type: Type & { readonly fields: readonly Type[] }, value: Value | undefined): void {
    if (!Array.isArray(value) || value.length !== type.fields.length) wrong(type, value);
    type.fields.forEach((field, index) => {
      this.#write(field, value[index]);
    });
  }

  #writeVariant({ type, value }: Variant): void {
    this.#writeSignature(type);
    this.write(type, [value]);
  }

  #writeArray(of: Type, value: Value | undefined): void {
    const lengthAt = this.#reserve(4);
    this.align(alignmentOf(of.code));
    const start = this.#length;
    if (of.code === "y" && value instanceof Uint8Array) {
      const at = this.#reserve(value.length);
      this.#bytes.set(value, at);
    } else if (Array.isArray(value)) {
      for (const each of value) this.#write(of, each);
    } else wrong(of, value);
    this.#view.setUint32(lengthAt, this.#length - start, true);
  }

  #writeBasic(code: Basic, value: Value | undefined): void {
    if (typeof value === "string" && (code === "s" || code === "o")) this.#writeString(value);
    else if (typeof value === "string" && code === "g") this.#writeSignature(value);
    else if (typeof value === "boolean" && code === "b") this.#writeInteger("u", Number(value));
    else if (typeof value === "bigint" && (code === "x" || code === "t")) this.#writeLong(code, value);
    else if (typeof value === "number" && code === "d") this.#writeDouble(value);
    else if (typeof value === "number" && isInteger(code)) this.#writeInteger(code, value);
    else wrong({ code }, value);
  }

  #writeInteger(code: keyof typeof INTEGERS, value: number): void {
    const { bytes, min, max } = INTEGERS[code];
    if (!Number.isInteger(value) || value < min || value > max) wrong({ code }, value);
    const at = this.#reserve(bytes);
    // Two's complement of so many bytes, whatever the sign.
    for (let index = 0; index < bytes; index++)
      this.#view.setUint8(at + index, (value >> (8 * index)) & 0xff);
  }

  #writeDouble(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
  }

  #writeLong(code: "x" | "t", value: bigint): void {
    const fits = code === "t" ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value);
    if (fits !== value) wrong({ code }, value);
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  #writeString(text: string): void {
    if (text.includes("\0")) throw new KataError("InvalidArgument", "D-Bus: a string must not contain NUL");
    const bytes = encoder.encode(text);
    const at = this.#reserve(4 + bytes.length + 1);
    this.#view.setUint32(at, bytes.length, true);
    this.#bytes.set(bytes, at + 4);
  }

  #writeSignature(signature: string): void {
    parseSignature(signature);
    const at = this.#reserve(signature.length + 2);
    this.#bytes[at] = signature.length;
    this.#bytes.set(encoder.encode(signature), at + 1);
  }

  /** So many zero bytes more, perhaps in a larger buffer. @returns where they start */
  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(2 * this.#length);
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return at;
  }
}

const INTEGERS = {
  y: { bytes: 1, min: 0, max: 0xff },
  n: { bytes: 2, min: -0x8000, max: 0x7fff },
  q: { bytes: 2, min: 0, max: 0xffff },
  i: { bytes: 4, min: -0x8000_0000, max: 0x7fff_ffff },
  u: { bytes: 4, min: 0, max: 0xffff_ffff },
} as const;

function isInteger(code: string): code is keyof typeof INTEGERS {
  return code in INTEGERS;
}

function isVariant(value: Value | undefined): value is Variant {
  return typeof value === "object" && "type" in value;
}

function wrong(type: Type, value: Value | undefined): never {
  throw new KataError("InvalidArgument", `D-Bus: ${String(value)} is no value of type ${type.code}`);
}
