import { type FrameTransport, type MemoryTransport, memoryPair, type SerialPort } from "../index.ts";

/**
 * A virtio-serial port in memory: the guest's end stays, hosts come and go. While none is connected the guest reads
 * nothing at once, and its writes wait. What a host wrote is read even after it went.
 */
export class SerialLine implements SerialPort {
  readonly peer = {};
  private host: MemoryTransport | undefined;
  private mine: MemoryTransport | undefined;
  private endSeen: (() => void) | undefined;
  private changedWaiter: (() => void) | undefined;
  private canceledWaiter: (() => void) | undefined;

  /** Cuts the host off; resolves when the guest has noticed. */
  async disconnect(): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      this.endSeen = resolve;
    });
    this.host?.close();
    await seen;
    this.mine = undefined;
  }

  connect(): FrameTransport {
    const [host, mine] = memoryPair();
    this.host = host;
    this.mine = mine;
    const wake = this.changedWaiter;
    this.changedWaiter = undefined;
    wake?.();
    return host;
  }

  get blocks() {
    return this.port.blocks;
  }

  async read(max: number, fds: number[]): Promise<Uint8Array> {
    const bytes = this.mine ? await this.mine.read(max, fds) : new Uint8Array(0);
    if (bytes.length === 0) {
      this.endSeen?.();
    }
    return bytes;
  }

  readBlock(length: number): Promise<number> {
    return this.port.readBlock(length);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = this.mine;
    while (!at) {
      await new Promise<void>((resolve, reject) => {
        this.changedWaiter = resolve;
        this.canceledWaiter = () => reject(new Error("canceled"));
      });
      at = this.mine;
    }
    await at.write(bytes).catch(() => {}); // the kernel takes what nobody will read
  }

  writeBlock(head: Uint8Array, block: number): Promise<void> {
    return this.port.writeBlock(head, block);
  }

  closeFd(): void {}

  changed(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.changedWaiter = resolve;
    });
  }

  cancel(): void {
    this.mine?.cancel();
    this.canceledWaiter?.();
  }

  close(): void {
    this.mine?.close();
  }

  private get port(): MemoryTransport {
    if (!this.mine) throw new Error("no host is connected");
    return this.mine;
  }
}
