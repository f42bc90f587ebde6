import { SysError } from "@kata-containers/sys";
import type { BlockStore, Peer, SerialPort } from "./transport.ts";

/** Bytes that a writer may be ahead of its reader, as in a unix socket's buffer. */
const CAPACITY = 65_536;
const NOTHING = new Uint8Array(0);

interface Piece {
  bytes: Uint8Array;
  readonly fds: readonly number[];
}

const canceled = () => new SysError("ECANCELED", "memory");

/** One direction. Reads join pieces as the kernel does: never bytes behind descriptors to bytes before them. */
class MemoryPipe {
  private readonly pieces: Piece[] = [];
  private size = 0;
  private ended = false;
  private wakeReader: (() => void) | undefined;
  private wakeWriter: (() => void) | undefined;
  private readCancels = 0;
  private writeCancels = 0;

  async read(max: number, fds: number[]): Promise<Uint8Array> {
    const cancels = this.readCancels;
    while (this.pieces.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
      if (cancels !== this.readCancels) {
        throw canceled();
      }
    }
    const parts: Uint8Array[] = [];
    let left = max;
    for (let piece = this.pieces[0]; piece && left > 0; piece = this.pieces[0]) {
      parts.push(piece.bytes.subarray(0, left));
      const taken = Math.min(left, piece.bytes.length);
      left -= taken;
      const given = piece.fds;
      fds.push(...given);
      if (taken === piece.bytes.length) {
        this.pieces.shift();
      } else {
        this.pieces[0] = { bytes: piece.bytes.subarray(taken), fds: [] };
      }
      if (given.length > 0) {
        break;
      }
    }
    this.size -= max - left;
    this.wakeWriter?.();
    return join(parts);
  }

  async write(bytes: Uint8Array, fds: readonly number[]): Promise<void> {
    const cancels = this.writeCancels;
    // A part at a time: a cut shows half a frame, as on a real line.
    let at = 0;
    do {
      while (this.size >= CAPACITY && !this.ended) {
        await new Promise<void>((resolve) => {
          this.wakeWriter = resolve;
        });
      }
      if (cancels !== this.writeCancels) {
        throw canceled();
      }
      if (this.ended) {
        throw new SysError("EPIPE", "write");
      }
      const part = bytes.slice(at, at + CAPACITY - this.size);
      this.pieces.push({ bytes: part, fds: at === 0 ? fds : [] });
      this.size += part.length;
      at += part.length;
      this.wakeReader?.();
    } while (at < bytes.length);
  }

  /** Nothing is written any more; what was written is still read. */
  end(): void {
    this.ended = true;
    this.wakeReader?.();
    this.wakeWriter?.();
  }

  cancelRead(): void {
    this.readCancels += 1;
    this.wakeReader?.();
  }

  cancelWrite(): void {
    this.writeCancels += 1;
    this.wakeWriter?.();
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first && parts.length === 1) {
    return first;
  }
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Blocks and the descriptors they are written to, as JavaScript arrays. */
export class MemoryBlocks implements BlockStore {
  /** What was written to each descriptor. */
  readonly written = new Map<number, Uint8Array>();
  private readonly blocks = new Map<number, Uint8Array>();
  private last = 0;

  /** How many blocks are not freed. */
  get count(): number {
    return this.blocks.size;
  }

  make(bytes: Uint8Array): number {
    this.last += 1;
    this.blocks.set(this.last, bytes);
    return this.last;
  }

  take(block: number): Uint8Array {
    const bytes = this.blocks.get(block);
    if (!bytes) {
      throw new Error(`block ${block} is freed, or never was`);
    }
    this.blocks.delete(block);
    return bytes;
  }

  free(block: number): void {
    this.take(block);
  }

  async write(fd: number, head: Uint8Array, block: number | undefined): Promise<void> {
    const bytes = block === undefined ? NOTHING : this.take(block);
    this.written.set(fd, join([this.written.get(fd) ?? NOTHING, head, bytes]));
  }
}

/** One end of a connection in memory: for tests. */
export class MemoryTransport implements SerialPort {
  readonly peer: Peer = {};
  readonly blocks: MemoryBlocks;
  /** Descriptors that the connection closed. */
  readonly closedFds: number[] = [];
  private readonly input: MemoryPipe;
  private readonly output: MemoryPipe;

  constructor(input: MemoryPipe, output: MemoryPipe, blocks: MemoryBlocks) {
    this.input = input;
    this.output = output;
    this.blocks = blocks;
  }

  read(max: number, fds: number[]): Promise<Uint8Array> {
    return this.input.read(max, fds);
  }

  async readBlock(length: number): Promise<number> {
    const parts: Uint8Array[] = [];
    for (let left = length; left > 0; ) {
      const part = await this.input.read(left, []);
      if (part.length === 0) {
        throw new SysError("ECONNRESET", "read");
      }
      parts.push(part);
      left -= part.length;
    }
    return this.blocks.make(join(parts));
  }

  write(bytes: Uint8Array, fds: readonly number[] = []): Promise<void> {
    return this.output.write(bytes, fds);
  }

  async writeBlock(head: Uint8Array, block: number): Promise<void> {
    await this.output.write(join([head, this.blocks.take(block)]), []);
  }

  closeFd(fd: number): void {
    this.closedFds.push(fd);
  }

  /** Ends this end's writing only, as shutdown(2) does. */
  closeWrite(): void {
    this.output.end();
  }

  /** Only for a SerialPort's sake: a memory connection that ended does not come back. */
  changed(): Promise<void> {
    return new Promise(() => {});
  }

  cancel(): void {
    this.input.cancelRead();
    this.output.cancelWrite();
  }

  close(): void {
    this.cancel();
    this.output.end();
    this.input.end();
  }
}

/** Two connected ends. */
export function memoryPair(): [MemoryTransport, MemoryTransport] {
  const [there, back] = [new MemoryPipe(), new MemoryPipe()];
  return [
    new MemoryTransport(back, there, new MemoryBlocks()),
    new MemoryTransport(there, back, new MemoryBlocks()),
  ];
}
