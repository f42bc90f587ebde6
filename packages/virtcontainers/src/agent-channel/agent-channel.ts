import type { FrameTransport } from "@kata-containers/ttrpc";

/**
 * A way to reach the agent in the guest. virtio-serial is there on every host; vsock.ts and hybrid-vsock.ts will stand
 * beside it. Whatever the way, the result is one stream that ttRPC multiplexes.
 */
export interface AgentChannel {
  readonly name: string;
  /** The descriptor that the VMM inherits, for a channel that is one. */
  readonly vmmFd: number | undefined;
  /** Closes `vmmFd` here: the VMM has it now, and its end shall be seen. */
  releaseVmmFd(): void;
  /**
   * Resolves with a connected stream, which the caller owns, once the agent has answered.
   * @throws KataError DeadlineExceeded when it does not answer in time; Unavailable when the VMM closed its end.
   */
  connect(timeoutMs: number): Promise<FrameTransport>;
  /** Gives up: closes what is still held and ends a pending `connect`. */
  close(): void;
}
