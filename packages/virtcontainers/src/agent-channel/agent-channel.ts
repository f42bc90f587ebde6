import type { FrameTransport } from "@kata-containers/ttrpc";
import type { AgentDevice } from "../hypervisor/hypervisor.ts";

/**
 * A way to reach the agent in the guest: vsock.ts where the host has it, virtio-serial.ts on every host; hybrid-vsock.ts
 * will stand beside them. Whatever the way, the result is one stream that ttRPC multiplexes.
 */
export interface AgentChannel {
  /** What the guest sees of it, with the descriptor that the VMM inherits. */
  readonly device: AgentDevice;
  /** Where others on the host reach the agent, as upstream writes it; undefined: its socket has no name. */
  readonly url: string | undefined;
  /** Tell the agent where to listen; empty for its default. */
  readonly kernelParams: readonly string[];
  /** Closes the device's descriptor here: the VMM has it now, and its end shall be seen. */
  releaseVmmFd(): void;
  /**
   * Resolves with a connected stream, which the caller owns, once the agent has answered.
   * @throws KataError DeadlineExceeded when it does not answer in time; Unavailable when the VMM closed its end.
   */
  connect(timeoutMs: number): Promise<FrameTransport>;
  /** Gives up: closes what is still held and ends a pending `connect`. */
  close(): void;
}
