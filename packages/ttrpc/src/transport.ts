/** Memory outside of JavaScript: a block is a number, made by a transport's readBlock or by `ops.readBlock`. */
export interface BlockStore {
  /** Writes head, then the block if any, all of it, to a descriptor; frees the block, whatever the outcome. */
  write(fd: number, head: Uint8Array, block: number | undefined): Promise<void>;
  free(block: number): void;
}

/** Who is at the other end, for logs and access checks; absent what the transport does not know. */
export interface Peer {
  readonly pid?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly cid?: number;
}

/** The byte behind a frame on a line whose peer may be replaced unseen: no byte of a hello is 0, so none is taken for it. */
export const END_MARK = 0;

/**
 * A byte stream in both directions: a unix socket, a virtio-serial port, a vsock, memory. At most one read and one write
 * are pending at a time: the connection above sees to that.
 */
export interface FrameTransport {
  readonly peer: Peer;
  readonly blocks: BlockStore;
  /** Every frame that is read has an {@link END_MARK} behind it, and counts only with it. */
  readonly endMark?: boolean;
  /** One read of at most `max` bytes; empty: the end. Descriptors that came with them are appended to `fds`, close-on-exec. */
  read(max: number, fds: number[]): Promise<Uint8Array>;
  /** Exactly `length` bytes into a block; an early end is an error. */
  readBlock(length: number): Promise<number>;
  /** All bytes, the descriptors with the first one. They stay the caller's. */
  write(bytes: Uint8Array, fds: readonly number[]): Promise<void>;
  /** All of `head`, then the block, which is freed whatever the outcome. */
  writeBlock(head: Uint8Array, block: number): Promise<void>;
  /** Closes a descriptor that `read` gave. */
  closeFd(fd: number): void;
  /** Ends pending reads and writes with an error. */
  cancel(): void;
  /** Ends it all. `unread`: bytes that were read and not used, for a layer below that goes on with them. Idempotent. */
  close(unread?: Uint8Array): void;
}

/** Where connections come from. */
export interface Listener {
  /** The next connection. Rejects when the listener is closed. */
  accept(): Promise<FrameTransport>;
  close(): void;
}

/** A serial line, which outlives its peers: `read` gives nothing while none is connected. */
export interface SerialPort extends FrameTransport {
  /** Resolves when bytes, or a peer, may have come after the call: what came before is forgotten. */
  changed(): Promise<void>;
}
