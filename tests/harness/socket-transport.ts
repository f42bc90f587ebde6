import type { Socket } from "node:net";
import type { FrameTransport, Peer } from "@kata-containers/ttrpc";
import { MemoryBlocks } from "@kata-containers/ttrpc";

/** A frame transport over a Node socket: for host-side tests that run without the engine. Passes no descriptors. */
export class SocketTransport implements FrameTransport {
  readonly peer: Peer = {};
  readonly blocks = new MemoryBlocks();
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.pause();
  }

  async read(max: number, _fds: number[]): Promise<Uint8Array> {
    for (;;) {
      const size = Math.min(max, this.#socket.readableLength);
      const bytes: Buffer | null = size > 0 ? this.#socket.read(size) : this.#socket.read();
      if (bytes !== null) return bytes;
      if (this.#socket.readableEnded || this.#socket.destroyed) return new Uint8Array(0);
      await new Promise<void>((resolve) => {
        const wake = () => {
          for (const event of ["readable", "end", "close", "error"]) this.#socket.off(event, wake);
          resolve();
        };
        for (const event of ["readable", "end", "close", "error"]) this.#socket.once(event, wake);
      });
    }
  }

  async readBlock(length: number): Promise<number> {
    const block = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const part = await this.read(length - at, []);
      if (part.length === 0) throw new Error("the connection ended within a frame");
      block.set(part, at);
      at += part.length;
    }
    return this.blocks.make(block);
  }

  write(bytes: Uint8Array, _fds: readonly number[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  }

  async writeBlock(head: Uint8Array, block: number): Promise<void> {
    await this.write(Buffer.concat([head, this.blocks.take(block)]), []);
  }

  closeFd(): void {}

  cancel(): void {
    this.close();
  }

  close(): void {
    this.#socket.destroy();
  }
}
