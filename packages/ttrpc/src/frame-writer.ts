import type { KataError } from "@kata-containers/sys";
import type { FrameTransport } from "./transport.ts";

const NO_FDS: readonly number[] = [];

/** Writes frames whole, one after the other, in the order of the calls. */
export class FrameWriter {
  private readonly transport: FrameTransport;
  private busy = false;
  private failure: KataError | undefined;
  private readonly waiting: (() => void)[] = [];

  constructor(transport: FrameTransport) {
    this.transport = transport;
  }

  /** Resolves when the frame is written. Its block, if any, is freed whatever the outcome. */
  async send(frame: Uint8Array, fds: readonly number[] = NO_FDS, block?: number): Promise<void> {
    if (this.busy) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.busy = true;
    try {
      if (this.failure) {
        if (block !== undefined) {
          this.transport.blocks.free(block);
        }
        throw this.failure;
      }
      if (block === undefined) {
        await this.transport.write(frame, fds);
      } else {
        await this.transport.writeBlock(frame, block);
      }
    } finally {
      const next = this.waiting.shift();
      this.busy = next !== undefined;
      next?.();
    }
  }

  /** Nothing is written any more: what waits, and what comes, fails with this. */
  fail(error: KataError): void {
    this.failure ??= error;
  }
}
