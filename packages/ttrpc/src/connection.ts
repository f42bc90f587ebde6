import { KataError } from "@kata-containers/sys";
import { BulkData, type BulkPlace, joinBytes } from "./bulk.ts";
import { ConnectionEnd } from "./connection-end.ts";
import { Deadlines } from "./deadlines.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { FrameTransport } from "./transport.ts";

/** So much of a frame that is not all at hand is looked at for its bulk field: names and ids come before the bytes. */
const PREFIX_BYTES = 512;
/** A bulk field whose missing part is smaller than this is not worth a block. */
const MIN_BLOCK_BYTES = 4096;

/** A frame's data, cut around a bulk field that may be in a block. */
export interface BulkFrame {
  /** The outer message without its payload. */
  readonly outer: Uint8Array;
  /** The payload without the field. */
  readonly inner: Uint8Array;
  /** The field's number. */
  readonly field: number;
  readonly data: BulkData;
}

/** What client and server have in common: reading frames until the end, and one end for every reason. */
export abstract class Connection {
  /** Resolves when the connection has ended: with the reason, or with undefined when the peer or we closed it between frames. */
  readonly closed: Promise<KataError | undefined>;
  protected readonly transport: FrameTransport;
  protected readonly reader: FrameReader;
  protected readonly writer: FrameWriter;
  protected readonly deadlines = new Deadlines();
  protected open = true;

  constructor(transport: FrameTransport) {
    this.transport = transport;
    this.reader = new FrameReader(transport);
    this.writer = new FrameWriter(transport);
    this.closed = this.run();
  }

  /** Ends the connection. What is pending fails as Unavailable. */
  close(): void {
    this.end(new KataError("Unavailable", "connection closed"), false);
  }

  /** @throws KataError InvalidArgument when the header is not one that may come; the header is unread then. */
  protected abstract checkHeader(): void;
  /** A frame that is all at hand. */
  protected abstract onFrame(stream: number, data: Uint8Array, fds: readonly number[]): void;
  /** Where the frame, of which the first bytes are at hand, has a bulk field that goes to a block. */
  protected abstract findBulk(stream: number, prefix: Uint8Array, length: number): BulkPlace | undefined;
  protected abstract onBulk(stream: number, frame: BulkFrame, fds: readonly number[]): void;
  /** Resolves when more frames may be read; undefined when that is now. */
  protected abstract room(): Promise<void> | undefined;
  /** @param reason code Unavailable */
  protected abstract onEnd(reason: KataError): void;

  private async run(): Promise<KataError | undefined> {
    // The subclass's constructor must end before the first frame.
    await undefined;
    try {
      await this.readFrames();
      this.end(new KataError("Unavailable", "connection closed by the peer"), false);
      return undefined;
    } catch (caught) {
      if (!this.open) {
        return undefined;
      }
      const error = KataError.from(caught);
      this.end(error, true);
      return error;
    }
  }

  private async readFrames(): Promise<void> {
    const { reader } = this;
    while (this.open) {
      const full = this.room();
      if (full) {
        await full;
        continue;
      }
      if (!reader.header()) {
        if (!(await reader.more())) {
          return;
        }
        continue;
      }
      this.checkHeader();
      if (reader.buffered) {
        const data = reader.take(reader.length);
        reader.endMarkAtHand();
        this.onFrame(reader.stream, data, reader.takeFds());
      } else {
        await this.readLarge();
      }
    }
  }

  private async readLarge(): Promise<void> {
    const { reader } = this;
    const { stream, length } = reader;
    if (length - reader.available >= MIN_BLOCK_BYTES) {
      while (reader.available < PREFIX_BYTES) {
        await reader.moreOfFrame();
      }
      const place = this.findBulk(stream, reader.peek(), length);
      if (place && place.start + place.length - reader.available >= MIN_BLOCK_BYTES) {
        await this.readBulk(stream, place);
        return;
      }
    }
    const data = reader.available >= length ? reader.take(length) : await reader.takeLarge(length);
    await reader.endMark();
    this.onFrame(stream, data, reader.takeFds());
  }

  private async readBulk(stream: number, place: BulkPlace): Promise<void> {
    const { reader } = this;
    reader.take(place.start);
    const head = reader.rest();
    const left = place.length - head.length;
    const block = await reader.block(left);
    const data = new BulkData(head, this.transport.blocks, block, left);
    try {
      const tail = place.tail > 0 ? await reader.takeLarge(place.tail) : new Uint8Array(0);
      await reader.endMark();
      this.onBulk(
        stream,
        { outer: joinBytes(place.outer, tail), inner: place.inner, field: place.field, data },
        reader.takeFds(),
      );
    } catch (caught) {
      data.free();
      throw caught;
    }
  }

  /** @param giveBack the unread bytes go back to the transport: a session layer looks for its next peer there */
  protected end(reason: KataError, giveBack: boolean): void {
    if (!this.open) {
      return;
    }
    this.open = false;
    const unavailable = new ConnectionEnd(reason);
    this.writer.fail(unavailable);
    this.reader.dropFds();
    this.deadlines.clear();
    this.transport.close(giveBack ? this.reader.rest() : undefined);
    this.onEnd(unavailable);
  }
}
