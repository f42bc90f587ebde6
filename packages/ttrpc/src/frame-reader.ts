import { KataError } from "@kata-containers/sys";
import { getUint32, HEADER_BYTES, MAX_DATA_BYTES, malformed } from "./frame.ts";
import { END_MARK, type FrameTransport } from "./transport.ts";

/** One read: many small frames, and little of a bulk frame, whose rest then never enters JavaScript. */
export const CHUNK_BYTES = 4096;
/** One read of the rest of a large frame. */
const LARGE_READ_BYTES = 65_536;
/** Descriptors that wait for their frame: SCM_MAX_FD of one sendmsg. */
const MAX_WAITING_FDS = 253;

/**
 * Cuts the byte stream into frames. What can be done with the bytes at hand is done at once, without a promise:
 * `header`, then (when `buffered`) `body`; else `more`, `largeBody`, `block`.
 */
export class FrameReader {
  // Of the current frame.
  length = 0;
  stream = 0;
  type = 0;
  flags = 0;
  private readonly transport: FrameTransport;
  private readonly markBytes: 0 | 1;
  private chunk: Uint8Array = new Uint8Array(0);
  private at = 0;
  /** Bytes received so far: positions below count from the first. */
  private received = 0;
  private frameStart = 0;
  private readonly waiting: { end: number; fds: number[] }[] = [];

  constructor(transport: FrameTransport) {
    this.transport = transport;
    this.markBytes = transport.endMark === true ? 1 : 0;
  }

  /**
   * Takes the next frame's header, when its bytes are at hand.
   * @throws KataError InvalidArgument on a length over the limit; the header then stays unread
   */
  header(): boolean {
    const { chunk, at } = this;
    if (chunk.length - at < HEADER_BYTES) {
      return false;
    }
    this.length = getUint32(chunk, at);
    if (this.length > MAX_DATA_BYTES) {
      throw malformed(`${this.length} bytes of data, the limit is ${MAX_DATA_BYTES}`);
    }
    this.stream = getUint32(chunk, at + 4);
    this.type = chunk[at + 8] ?? 0;
    this.flags = chunk[at + 9] ?? 0;
    this.frameStart = this.position();
    this.at = at + HEADER_BYTES;
    return true;
  }

  /** Puts the header back: whoever reads on finds the frame whole. */
  unreadHeader(): void {
    this.at -= HEADER_BYTES;
  }

  /** Bytes at hand. */
  get available(): number {
    return this.chunk.length - this.at;
  }

  /** Whether the frame's data is at hand, and its end mark, if it has one. */
  get buffered(): boolean {
    return this.available >= this.length + this.markBytes;
  }

  /** `count` bytes at hand, as a view that stays valid. */
  take(count: number): Uint8Array {
    const start = this.at;
    this.at = start + count;
    return this.chunk.subarray(start, this.at);
  }

  /** Takes the end mark of a {@link buffered} frame whose data was taken. @throws KataError InvalidArgument, as endMark */
  endMarkAtHand(): void {
    if (this.markBytes === 0) {
      return;
    }
    if (this.chunk[this.at] !== END_MARK) {
      throw malformed("another peer has begun before its end");
    }
    this.at += 1;
  }

  /**
   * Waits for the end mark of the frame whose data was taken, if it has one.
   * @throws KataError InvalidArgument when another byte stands there, which stays unread
   */
  async endMark(): Promise<void> {
    while (this.available < this.markBytes) {
      await this.moreOfFrame();
    }
    this.endMarkAtHand();
  }

  /** The bytes at hand of the frame, without taking them. */
  peek(): Uint8Array {
    return this.chunk.subarray(this.at, Math.min(this.chunk.length, this.at + this.length));
  }

  /** Everything that was received and not taken. */
  rest(): Uint8Array {
    return this.take(this.available);
  }

  /** Reads once more. False: the stream ended, between two frames. */
  async more(): Promise<boolean> {
    const bytes = await this.receive(CHUNK_BYTES);
    const left = this.available;
    if (bytes.length === 0) {
      if (left > 0) {
        throw new KataError("Unavailable", "connection ended within a frame");
      }
      return false;
    }
    if (left === 0) {
      this.chunk = bytes;
    } else {
      const joined = new Uint8Array(left + bytes.length);
      joined.set(this.chunk.subarray(this.at));
      joined.set(bytes, left);
      this.chunk = joined;
    }
    this.at = 0;
    return true;
  }

  /** Reads once more, within a frame. An end is not asked for twice: on a serial line the next read may be of another host. */
  async moreOfFrame(): Promise<void> {
    if (!(await this.more())) {
      throw new KataError("Unavailable", "connection ended within a frame");
    }
  }

  /** `count` bytes, of which not all are at hand. Never reads past them. */
  async takeLarge(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let filled = Math.min(this.available, count);
    bytes.set(this.take(filled));
    while (filled < count) {
      const part = await this.receive(Math.min(count - filled, LARGE_READ_BYTES));
      if (part.length === 0) {
        throw new KataError("Unavailable", "connection ended within a frame");
      }
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  /** `count` bytes into a block; none may be at hand. */
  async block(count: number): Promise<number> {
    const block = await this.transport.readBlock(count);
    this.received += count;
    return block;
  }

  /** Reads and drops. */
  async drop(count: number): Promise<void> {
    let left = count - this.take(Math.min(count, this.available)).length;
    while (left > 0) {
      const part = await this.receive(Math.min(left, LARGE_READ_BYTES));
      if (part.length === 0) {
        throw new KataError("Unavailable", "connection ended within a frame");
      }
      left -= part.length;
    }
  }

  /**
   * The descriptors that came with the current frame, which was read whole. The kernel never joins bytes behind
   * descriptors to bytes before them in one read (unix(7)), so descriptors belong to the last frame that starts in the
   * read they came with: the one that covers that read's end.
   */
  takeFds(): number[] {
    const fds: number[] = [];
    for (let first = this.waiting[0]; first && first.end <= this.position(); first = this.waiting[0]) {
      if (first.end <= this.frameStart) {
        throw malformed("descriptors without a frame");
      }
      fds.push(...first.fds);
      this.waiting.shift();
    }
    return fds;
  }

  /** Closes descriptors that no frame took. */
  dropFds(): void {
    for (const fd of this.waiting.splice(0).flatMap((one) => one.fds)) {
      this.transport.closeFd(fd);
    }
  }

  private position(): number {
    return this.received - this.available;
  }

  private async receive(max: number): Promise<Uint8Array> {
    const fds: number[] = [];
    const bytes = await this.transport.read(max, fds);
    this.received += bytes.length;
    if (fds.length > 0) {
      this.waiting.push({ end: this.received, fds });
      if (this.waiting.reduce((sum, one) => sum + one.fds.length, 0) > MAX_WAITING_FDS) {
        throw malformed(`more than ${MAX_WAITING_FDS} descriptors`);
      }
    }
    return bytes;
  }
}
