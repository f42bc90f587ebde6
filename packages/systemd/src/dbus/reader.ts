import { KataError } from "@kata-containers/sys";
import { alignmentOf, type Basic, parseSignature, type Type } from "./signature.ts";
import type { Value } from "./value.ts";

const decoder = new TextDecoder();
const MAX_VARIANTS = 64;

/** Reads values in little-endian byte order out of a message, none beyond its end. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws KataError InvalidArgument: bytes that are no such values. */
  read(signature: string): Value[] {
    return this.#readAll(parseSignature(signature), 0);
  }

  /** Skips padding. */
  align(to: number): void {
    this.#take((to - (this.#at % to)) % to);
  }

  #readAll(types: readonly Type[], variants: number): Value[] {
    return types.map((type) => this.#readOne(type, variants));
  }

  #readOne(type: Type, variants: number): Value {
    this.align(alignmentOf(type.code));
    if (type.code === "a") return this.#readArray(type.of, variants);
    if (type.code === "(" || type.code === "{") return this.#readAll(type.fields, variants);
    if (type.code !== "v") return this.#readBasic(type.code);
    const signature = this.#readSignature();
    const types = parseSignature(signature);
    const [only] = types;
    if (only === undefined || types.length > 1) throw malformed("a variant of not exactly one type");
    if (variants >= MAX_VARIANTS) throw malformed("variants in variants");
    return { type: signature, value: this.#readOne(only, variants + 1) };
  }

  #readArray(of: Type, variants: number): Value {
    const length = this.#view.getUint32(this.#take(4), true);
    this.align(alignmentOf(of.code));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed("an array longer than the message");
    if (of.code === "y") {
      const at = this.#take(length);
      return this.#bytes.slice(at, end);
    }
    const values: Value[] = [];
    while (this.#at < end) values.push(this.#readOne(of, variants));
    if (this.#at > end) throw malformed("an array that ends within an element");
    return values;
  }

  #readBasic(code: Basic): Value {
    switch (code) {
      case "y":
        return this.#view.getUint8(this.#take(1));
      case "n":
        return this.#view.getInt16(this.#take(2), true);
      case "q":
        return this.#view.getUint16(this.#take(2), true);
      case "i":
        return this.#view.getInt32(this.#take(4), true);
      case "u":
        return this.#view.getUint32(this.#take(4), true);
      case "x":
        return this.#view.getBigInt64(this.#take(8), true);
      case "t":
        return this.#view.getBigUint64(this.#take(8), true);
      case "d":
        return this.#view.getFloat64(this.#take(8), true);
      case "b":
        return this.#readBoolean();
      case "g":
        return this.#readSignature();
      default:
        return this.#readText(this.#view.getUint32(this.#take(4), true));
    }
  }

  #readBoolean(): boolean {
    const value = this.#view.getUint32(this.#take(4), true);
    if (value > 1) throw malformed(`a boolean of ${value}`);
    return value === 1;
  }

  #readSignature(): string {
    return this.#readText(this.#view.getUint8(this.#take(1)));
  }

  #readText(length: number): string {
    const at = this.#take(length + 1);
    if (this.#bytes[at + length] !== 0) throw malformed("a string without its NUL");
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw malformed("it ends within a value");
    this.#at = at + count;
    return at;
  }
}

/** @returns the error for a message that cannot be read */
export function malformed(what: string): KataError {
  return new KataError("InvalidArgument", `D-Bus: malformed message: ${what}`);
}
