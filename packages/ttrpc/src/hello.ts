import { joinBytes } from "./bulk.ts";

/**
 * What opens a session on a serial line, followed by a nonce of as many bytes. As a frame's header it would have a length
 * over the limit, so at a frame boundary it cannot be taken for one. Its last byte is the session layer's version.
 */
export const SESSION_MAGIC = new Uint8Array([
  0xff, 0x4b, 0x41, 0x54, 0x41, 0x2d, 0x53, 0x45, 0x53, 0x53, 0x49, 0x4f, 0x4e, 0x0d, 0x0a, 0x02,
]);
export const NONCE_BYTES = 16;
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
export const HELLO_BYTES = SESSION_MAGIC.length + NONCE_BYTES;

/** A hello. No byte of it is 0, which is what stands behind every whole frame: {@link END_MARK}. */
export function helloOf(nonce: Uint8Array): Uint8Array {
  return joinBytes(
    SESSION_MAGIC,
    nonce.map((byte) => (byte === 0 ? 0xa5 : byte)),
  );
}

/** Where `wanted` starts, or could start with more bytes to come; the length when nowhere. */
export function findBytes(bytes: Uint8Array, wanted: Uint8Array): number {
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    const end = Math.min(wanted.length, bytes.length - at);
    let same = 1;
    while (same < end && bytes[at + same] === wanted[same]) {
      same += 1;
    }
    if (same === end) {
      return at;
    }
  }
  return bytes.length;
}

/** Takes the copies of a hello, behind its first, out of a stream of bytes. */
export class HelloRepeats {
  private readonly hello: Uint8Array;
  private seen = 0;
  private over = false;

  constructor(hello: Uint8Array) {
    this.hello = hello;
  }

  /** What of the next bytes is no copy. */
  skip(bytes: Uint8Array): Uint8Array {
    const { hello } = this;
    if (this.over) {
      return bytes;
    }
    let at = this.sameWords(bytes);
    this.seen += at;
    while (at < bytes.length) {
      if (bytes[at] === hello[this.seen % HELLO_BYTES]) {
        this.seen += 1;
        at += 1;
      } else {
        this.over = true;
        // The beginning of what turned out to be no copy belongs to the stream.
        return joinBytes(hello.subarray(0, this.seen % HELLO_BYTES), bytes.subarray(at));
      }
    }
    return bytes.subarray(at);
  }

  /** How many of the first bytes, in whole words, are of copies: a host that fills a frame up sends 4 MiB of them. */
  private sameWords(bytes: Uint8Array): number {
    const phase = this.seen % HELLO_BYTES;
    const next = joinBytes(this.hello.subarray(phase), this.hello.subarray(0, phase)).slice();
    const wanted = new Int32Array(next.buffer);
    const aligned = bytes.byteOffset % WORD_BYTES === 0 ? bytes : bytes.slice();
    const words = new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(bytes.length / WORD_BYTES));
    let at = 0;
    while (at < words.length && words[at] === wanted[at % wanted.length]) {
      at += 1;
    }
    return at * WORD_BYTES;
  }
}
