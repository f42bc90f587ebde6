import { joinBytes } from "./bulk.ts";
import { CHUNK_BYTES } from "./frame-reader.ts";
import { findBytes, HELLO_BYTES, HelloRepeats, SESSION_MAGIC } from "./hello.ts";
import type { BlockStore, FrameTransport, Listener, Peer, SerialPort } from "./transport.ts";

const NOTHING = new Uint8Array(0);
const NO_FDS: readonly number[] = [];

/** The guest's end of one session: the line stays when it closes. */
class GuestSession implements FrameTransport {
  readonly endMark = true;
  readonly peer: Peer;
  readonly blocks: BlockStore;
  /** Resolves, with what was read and not used, when the session is closed. */
  readonly ended: Promise<Uint8Array>;
  private readonly line: FrameTransport;
  private readonly repeats: HelloRepeats;
  private early: Uint8Array;
  private open = true;
  private writing: Promise<void> = Promise.resolve();
  private resolveEnded: (unread: Uint8Array) => void = () => {};

  /** @param early what was read behind the hello: the first read gives it, whatever its `max` */
  constructor(line: FrameTransport, hello: Uint8Array, early: Uint8Array) {
    this.line = line;
    this.peer = line.peer;
    this.blocks = line.blocks;
    this.repeats = new HelloRepeats(hello);
    this.early = this.repeats.skip(early);
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  async read(max: number, fds: number[]): Promise<Uint8Array> {
    if (this.early.length > 0) {
      const bytes = this.early;
      this.early = NOTHING;
      return bytes;
    }
    while (this.open) {
      const bytes = await this.line.read(max, fds);
      const rest = this.repeats.skip(bytes);
      if (bytes.length === 0 || rest.length > 0) {
        return rest;
      }
    }
    return NOTHING;
  }

  readBlock(length: number): Promise<number> {
    return this.line.readBlock(length);
  }

  write(bytes: Uint8Array, fds: readonly number[]): Promise<void> {
    return this.track(this.line.write(bytes, fds));
  }

  writeBlock(head: Uint8Array, block: number): Promise<void> {
    return this.track(this.line.writeBlock(head, block));
  }

  closeFd(fd: number): void {
    this.line.closeFd(fd);
  }

  cancel(): void {
    this.line.cancel();
  }

  close(unread: Uint8Array = NOTHING): void {
    if (!this.open) {
      return;
    }
    this.open = false;
    this.line.cancel();
    const rest = joinBytes(unread, this.early);
    void this.writing.then(() => this.resolveEnded(rest));
  }

  /** A write that was cut must have ended before the next session writes. */
  private track(writing: Promise<void>): Promise<void> {
    this.writing = writing.catch(() => {});
    return writing;
  }
}

/** A listener that gives one connection a session, one at a time. */
class SessionListener implements Listener {
  private readonly line: SerialPort;
  private unread: Uint8Array = NOTHING;
  private current: GuestSession | undefined;

  constructor(line: SerialPort) {
    this.line = line;
  }

  /** Resolves at the next hello, after the session before has ended. Drops all bytes up to it. */
  async accept(): Promise<FrameTransport> {
    if (this.current) {
      this.unread = await this.current.ended;
      this.current = undefined;
    }
    for (;;) {
      const at = findBytes(this.unread, SESSION_MAGIC);
      if (at + HELLO_BYTES <= this.unread.length) {
        const hello = this.unread.slice(at, at + HELLO_BYTES);
        const early = this.unread.subarray(at + HELLO_BYTES);
        this.unread = NOTHING;
        await this.line.write(hello, NO_FDS);
        this.current = new GuestSession(this.line, hello, early);
        return this.current;
      }
      this.unread = this.unread.subarray(at);
      await this.readMore();
    }
  }

  close(): void {
    this.line.close();
  }

  private async readMore(): Promise<void> {
    let bytes = await this.line.read(CHUNK_BYTES, []);
    if (bytes.length === 0) {
      // No host. One may come before the wait begins: so wait first, then look again.
      this.unread = NOTHING;
      const changed = this.line.changed();
      changed.catch(() => {});
      bytes = await this.line.read(CHUNK_BYTES, []);
      if (bytes.length === 0) {
        await changed;
      }
    }
    this.unread = joinBytes(this.unread, bytes);
  }
}

/**
 * The guest's end of the session layer, for `serve`. A session ends when the host goes away (a read gives nothing), when
 * it sends what is no frame, or when it opens another session; the next begins at the next hello. A host that was replaced
 * in the middle of a frame while the guest did not run is found out by the end mark: what the new one sends fills the
 * frame up, but has no 0 where the mark belongs, so the frame is dropped, whatever its bytes.
 */
export function acceptSession(line: SerialPort): Listener {
  return new SessionListener(line);
}
