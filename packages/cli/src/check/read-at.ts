import { Fd, O, ops } from "@kata-containers/sys";

/** Bytes of a file from its middle. */
export class Bytes {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.#view.byteLength;
  }

  /** Little-endian; 0 past the end, which no format that is read by this means by it. */
  u16(at: number): number {
    return at + 2 <= this.length ? this.#view.getUint16(at, true) : 0;
  }

  u32(at: number): number {
    return at + 4 <= this.length ? this.#view.getUint32(at, true) : 0;
  }

  /** Numbers beyond 2^53 are no offset in a file: they come out as something larger than every file. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  text(at: number, length: number): string {
    let text = "";
    for (let index = at; index < Math.min(at + length, this.length); index++)
      text += String.fromCharCode(this.#view.getUint8(index));
    return text;
  }
}

/** A file that is read in places. */
export class ReadableFile implements Disposable {
  readonly #fd: Fd;

  constructor(path: string) {
    this.#fd = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC | O.NONBLOCK, 0));
  }

  get size(): number {
    return ops.fstat(this.#fd.number).size;
  }

  at(offset: number, length: number): Bytes {
    return new Bytes(offset < this.size ? ops.pread(this.#fd.number, length, offset) : new Uint8Array());
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }
}
