import { KataError } from "@kata-containers/sys";

// The frame of ttRPC (github.com/containerd/ttrpc, PROTOCOL.md): data length and stream id, 4 bytes each, big-endian;
// one byte of type, one of flags; then the data.
export const HEADER_BYTES = 10;
/** The most data a frame may carry: ttRPC's limit. */
export const MAX_DATA_BYTES = 4 * 1024 * 1024;

/** Message types. DATA belongs to streaming calls, which we do not offer. */
export const FRAME = { REQUEST: 1, RESPONSE: 2, DATA: 3 } as const;
/** Flag of a request that opens a stream: more data from the client is to follow. */
export const FLAG_REMOTE_OPEN = 2;

/** Fills in the header of a frame whose data is `bytes` from HEADER_BYTES on, and `more` bytes that are elsewhere. */
export function putHeader(bytes: Uint8Array, stream: number, type: number, more = 0): Uint8Array {
  const length = bytes.length - HEADER_BYTES + more;
  if (length > MAX_DATA_BYTES) {
    throw new KataError(
      "ResourceExhausted",
      `message of ${length} bytes is over ttRPC's limit of ${MAX_DATA_BYTES}`,
    );
  }
  putUint32(bytes, 0, length);
  putUint32(bytes, 4, stream);
  bytes[8] = type;
  bytes[9] = 0;
  return bytes;
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A big-endian number; the bytes must be there. */
export function getUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** What a peer did that no ttRPC peer does: the connection ends. */
export function malformed(why: string): KataError {
  return new KataError("InvalidArgument", `malformed ttRPC frame: ${why}`);
}
