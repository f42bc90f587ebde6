import { ops } from "@kata-containers/sys";
import type { BlockStore, FrameTransport, Listener, Peer, SerialPort } from "./transport.ts";

const blocks: BlockStore = {
  write: (fd, head, block) => (block === undefined ? ops.write(fd, head) : ops.writeBlock(fd, head, block)),
  free: (block) => ops.freeBlock(block),
};

/** A transport over a stream descriptor, which it owns: pipe pair, vsock, character device. Passes no descriptors. */
class FdTransport implements SerialPort {
  readonly peer: Peer;
  readonly blocks = blocks;
  protected readonly fd: number;
  private readonly onClose: () => void;
  private open = true;

  constructor(fd: number, peer: Peer, onClose: () => void = () => {}) {
    this.fd = fd;
    this.peer = peer;
    this.onClose = onClose;
  }

  read(max: number, _fds: number[]): Promise<Uint8Array> {
    return ops.read(this.fd, max);
  }

  async readBlock(length: number): Promise<number> {
    const { block } = await ops.readBlockExact(this.fd, length);
    return block;
  }

  write(bytes: Uint8Array, _fds: readonly number[]): Promise<void> {
    return ops.write(this.fd, bytes);
  }

  writeBlock(head: Uint8Array, block: number): Promise<void> {
    return ops.writeBlock(this.fd, head, block);
  }

  closeFd(fd: number): void {
    ops.close(fd);
  }

  changed(): Promise<void> {
    return ops.readableEdge(this.fd);
  }

  cancel(): void {
    if (this.open) {
      ops.cancel(this.fd);
    }
  }

  close(): void {
    if (this.open) {
      ops.cancel(this.fd);
      this.open = false;
      ops.close(this.fd);
      this.onClose();
    }
  }
}

/** A unix socket: descriptors travel with the bytes (unix(7), SCM_RIGHTS). */
class UnixTransport extends FdTransport {
  override async read(max: number, fds: number[]): Promise<Uint8Array> {
    const received = await ops.recvFds(this.fd, max);
    for (const fd of received.fds) {
      fds.push(fd);
    }
    return received.data;
  }

  override write(bytes: Uint8Array, fds: readonly number[]): Promise<void> {
    return fds.length === 0 ? ops.write(this.fd, bytes) : ops.sendFds(this.fd, bytes, [...fds]);
  }
}

/** Takes the descriptor of a connected stream socket, vsock or hybrid vsock included. */
export function fdTransport(fd: number, peer: Peer = {}): FrameTransport {
  return new FdTransport(fd, peer);
}

/** Takes the descriptor of a serial line: the guest's /dev/vport…, or the host's end of the chardev's socketpair. */
export function serialPort(fd: number): SerialPort {
  return new FdTransport(fd, {});
}

/** Takes the descriptor of a connected unix socket; `peer` is asked of the kernel. */
export function unixTransport(fd: number): FrameTransport {
  try {
    return new UnixTransport(fd, ops.unixPeer(fd));
  } catch (caught) {
    ops.close(fd);
    throw caught;
  }
}

/** Connects to a unix socket by its path. */
export async function connectUnix(path: string): Promise<FrameTransport> {
  return unixTransport(await ops.unixConnect(path));
}

/** Takes the descriptor of a listening unix socket. */
export function unixListener(fd: number): Listener {
  return {
    accept: async () => unixTransport(await ops.accept(fd)),
    close: () => {
      ops.cancel(fd);
      ops.close(fd);
    },
  };
}

/**
 * Takes the descriptor of a listening vsock. `allow` refuses peers by their context id (2: the host). One peer at a time: who
 * dials while another is connected is hung up on, because a vsock has no owner and any user of the host can dial.
 */
export function vsockListener(fd: number, allow: (cid: number) => boolean): Listener {
  let taken = false;
  return {
    accept: async () => {
      for (;;) {
        const { fd: accepted, cid } = await ops.vsockAccept(fd);
        if (allow(cid) && !taken) {
          taken = true;
          return new FdTransport(accepted, { cid }, () => {
            taken = false;
          });
        }
        ops.close(accepted);
      }
    },
    close: () => {
      ops.cancel(fd);
      ops.close(fd);
    },
  };
}
