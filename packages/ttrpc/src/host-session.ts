import { KataError, ops } from "@kata-containers/sys";
import { joinBytes } from "./bulk.ts";
import { HEADER_BYTES, MAX_DATA_BYTES } from "./frame.ts";
import { CHUNK_BYTES } from "./frame-reader.ts";
import { findBytes, HELLO_BYTES, helloOf, NONCE_BYTES } from "./hello.ts";
import { type BlockStore, END_MARK, type FrameTransport, type Peer } from "./transport.ts";

const NOTHING: Uint8Array = new Uint8Array(0);
const NO_FDS: readonly number[] = [];
const MARK = Uint8Array.of(END_MARK);

/** The longest wait for a mark: the guest may be at any place of a frame. */
const LONGEST_FRAME = HEADER_BYTES + MAX_DATA_BYTES + MARK.length;
const FILL_BYTES = 2048 * HELLO_BYTES;
/** Longer than a guest that listens takes to answer; one that is still booting finds no more than a hello, mostly. */
const DEFAULT_FILL_AFTER_MS = 5000;

/** The host's end of one session: puts the end mark behind each frame, and closes the line with it. */
class HostSession implements FrameTransport {
  readonly peer: Peer;
  readonly blocks: BlockStore;
  private readonly line: FrameTransport;
  private early: Uint8Array;

  /** @param early what was read behind the answer: the first read gives it, whatever its `max` */
  constructor(line: FrameTransport, early: Uint8Array) {
    this.line = line;
    this.peer = line.peer;
    this.blocks = line.blocks;
    this.early = early;
  }

  async read(max: number, fds: number[]): Promise<Uint8Array> {
    if (this.early.length === 0) {
      return this.line.read(max, fds);
    }
    const bytes = this.early;
    this.early = NOTHING;
    return bytes;
  }

  readBlock(length: number): Promise<number> {
    return this.line.readBlock(length);
  }

  write(bytes: Uint8Array, fds: readonly number[]): Promise<void> {
    return this.line.write(joinBytes(bytes, MARK), fds);
  }

  async writeBlock(head: Uint8Array, block: number): Promise<void> {
    await this.line.writeBlock(head, block);
    await this.line.write(MARK, NO_FDS);
  }

  closeFd(fd: number): void {
    this.line.closeFd(fd);
  }

  cancel(): void {
    this.line.cancel();
  }

  close(): void {
    this.line.close();
  }
}

export interface SessionOptions {
  /** Milliseconds until the guest must have answered. */
  readonly timeoutMs: number;
  /** NONCE_BYTES that no other session on the line has used; a 0 among them is replaced. Default: random. */
  readonly nonce?: Uint8Array;
  /**
   * Milliseconds without an answer after which the guest is taken to be in the middle of a frame, whose host is no more:
   * then the hello is repeated until it must be out of it. Default 5000; Infinity: never, for a guest that had no host before.
   */
  readonly fillAfterMs?: number;
}

/**
 * The host's end of the session layer: opens a session and gives a transport for `createClient`, which closes the line
 * with it. What the guest had sent before its answer is dropped.
 * @throws KataError DeadlineExceeded when the guest did not answer in time, Unavailable when the line ended; the line is
 *   closed then
 */
export async function openSession(line: FrameTransport, options: SessionOptions): Promise<FrameTransport> {
  const opening = new Opening(line, helloOf(options.nonce ?? ops.random(NONCE_BYTES)));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    opening.end();
  }, options.timeoutMs);
  try {
    // The answer may come before the write ends, never before it began.
    const [early] = await Promise.all([
      opening.readAnswer(),
      opening.call(options.fillAfterMs ?? DEFAULT_FILL_AFTER_MS),
    ]);
    return new HostSession(line, early);
  } catch (caught) {
    opening.end();
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

/** A session that is being opened. */
class Opening {
  private readonly line: FrameTransport;
  private readonly hello: Uint8Array;
  private over = false;
  private wake: () => void = () => {};

  constructor(line: FrameTransport, hello: Uint8Array) {
    this.line = line;
    this.hello = hello;
  }

  /** Gives up. */
  end(): void {
    this.settle();
    this.line.cancel();
  }

  /** Writes the hello; and after a silence so many more that a frame of the longest kind is filled up. Always whole ones. */
  async call(fillAfterMs: number): Promise<void> {
    await this.line.write(this.hello, NO_FDS);
    if (fillAfterMs === Number.POSITIVE_INFINITY) {
      return;
    }
    await this.silence(fillAfterMs);
    if (this.over) {
      return;
    }
    const many = new Uint8Array(FILL_BYTES).map((_, at) => this.hello[at % HELLO_BYTES] ?? 0);
    for (let filled = 0; !this.over && filled < LONGEST_FRAME + HELLO_BYTES; filled += FILL_BYTES) {
      await this.line.write(many, NO_FDS);
    }
  }

  /** Drops everything up to the answer, which repeats the hello; returns what came behind it. */
  async readAnswer(): Promise<Uint8Array> {
    try {
      let unread: Uint8Array = NOTHING;
      for (;;) {
        const at = findBytes(unread, this.hello);
        if (at + HELLO_BYTES <= unread.length) {
          return unread.subarray(at + HELLO_BYTES);
        }
        unread = unread.subarray(at);
        const bytes = await this.line.read(CHUNK_BYTES, []);
        if (bytes.length === 0) {
          throw new KataError("Unavailable", "the line ended");
        }
        unread = joinBytes(unread, bytes);
      }
    } finally {
      this.settle();
    }
  }

  private settle(): void {
    this.over = true;
    this.wake();
  }

  /** Resolves after so many milliseconds, or when it is over. */
  private async silence(ms: number): Promise<void> {
    if (this.over) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}
