import { KataError, ops } from "@kata-containers/sys";
import { joinBytes } from "./bulk.ts";
import { CHUNK_BYTES } from "./frame-reader.ts";
import type { BlockStore, FrameTransport, Listener, Peer, SerialPort } from "./transport.ts";

/**
 * What opens a session on a serial line, followed by a nonce of as many bytes. As a frame's header it would have a length
 * over the limit, so at a frame boundary it cannot be taken for one.
 */
export const SESSION_MAGIC = new Uint8Array([
  0xff, 0x4b, 0x41, 0x54, 0x41, 0x2d, 0x53, 0x45, 0x53, 0x53, 0x49, 0x4f, 0x4e, 0x0d, 0x0a, 0x01,
]);
export const NONCE_BYTES = 16;
const HELLO_BYTES = SESSION_MAGIC.length + NONCE_BYTES;

const NOTHING = new Uint8Array(0);
const NO_FDS: readonly number[] = [];

/** One session's share of the line: the line stays when it closes. */
class SessionTransport implements FrameTransport {
  readonly peer: Peer;
  readonly blocks: BlockStore;
  /** Resolves, with what was read and not used, when the session is closed. */
  readonly ended: Promise<Uint8Array>;
  private readonly line: FrameTransport;
  private early: Uint8Array;
  private open = true;
  private writing: Promise<void> = Promise.resolve();
  private resolveEnded: (unread: Uint8Array) => void = () => {};
  private readonly closeLine: boolean;

  /**
   * @param early what was read behind the hello: the first read gives it, whatever its `max`
   * @param closeLine the line closes with the session (the host's end)
   */
  constructor(line: FrameTransport, early: Uint8Array, closeLine: boolean) {
    this.line = line;
    this.peer = line.peer;
    this.blocks = line.blocks;
    this.early = early;
    this.closeLine = closeLine;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  read(max: number, fds: number[]): Promise<Uint8Array> {
    if (this.early.length > 0) {
      const bytes = this.early;
      this.early = NOTHING;
      return Promise.resolve(bytes);
    }
    return this.open ? this.line.read(max, fds) : Promise.resolve(NOTHING);
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
    if (this.closeLine) {
      this.line.close();
    } else {
      this.line.cancel();
    }
    const rest = joinBytes(unread, this.early);
    void this.writing.then(() => this.resolveEnded(rest));
  }

  /** A write that was cut must have ended before the next session writes. */
  private track(writing: Promise<void>): Promise<void> {
    this.writing = writing.catch(() => {});
    return writing;
  }
}

/** The guest's end: a listener that gives one connection a session, one at a time. */
class SessionListener implements Listener {
  private readonly line: SerialPort;
  private unread: Uint8Array = NOTHING;
  private current: SessionTransport | undefined;

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
        this.current = new SessionTransport(this.line, early, false);
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
 * it sends what is no frame, or when it opens another session; the next begins at the next hello. What this cannot see is
 * a host that was replaced in the middle of a frame while the guest did not run: the new one's hello is then taken for the
 * rest of that frame, and goes unanswered. Looking for hellos within frames would let anybody's stdin end the session.
 */
export function acceptSession(line: SerialPort): Listener {
  return new SessionListener(line);
}

export interface SessionOptions {
  /** Milliseconds until the guest must have answered. */
  readonly timeoutMs: number;
  /** NONCE_BYTES that no other session on the line has used. Default: random. */
  readonly nonce?: Uint8Array;
}

/**
 * The host's end of the session layer: opens a session and gives a transport for `createClient`, which closes the line
 * with it. What the guest had sent before its answer is dropped.
 * @throws KataError DeadlineExceeded when the guest did not answer in time, Unavailable when the line ended; the line is
 *   closed then
 */
export async function openSession(line: FrameTransport, options: SessionOptions): Promise<FrameTransport> {
  const hello = joinBytes(SESSION_MAGIC, options.nonce ?? ops.random(NONCE_BYTES));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    line.cancel();
  }, options.timeoutMs);
  try {
    // The answer may come before the write ends, never before it began.
    const [early] = await Promise.all([readAnswer(line, hello), line.write(hello, NO_FDS)]);
    return new SessionTransport(line, early, true);
  } catch (caught) {
    line.close();
    if (late) {
      throw new KataError("DeadlineExceeded", `no answer on the serial line within ${options.timeoutMs} ms`);
    }
    throw new KataError("Unavailable", `cannot open a session: ${KataError.from(caught).message}`, {
      cause: caught,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Drops everything up to the answer, which repeats the hello; returns what came behind it. */
async function readAnswer(line: FrameTransport, hello: Uint8Array): Promise<Uint8Array> {
  let unread: Uint8Array = NOTHING;
  for (;;) {
    const at = findBytes(unread, hello);
    if (at + hello.length <= unread.length) {
      return unread.subarray(at + hello.length);
    }
    unread = unread.subarray(at);
    const bytes = await line.read(CHUNK_BYTES, []);
    if (bytes.length === 0) {
      throw new KataError("Unavailable", "the line ended");
    }
    unread = joinBytes(unread, bytes);
  }
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
