import type { Init, Method } from "@kata-containers/protocols";
import type { Block } from "@kata-containers/sys";

/** A process in the guest, as the agent knows it. The container's first one has the container's id as its exec id. */
export type ProcessRef = { readonly containerId: string; readonly execId: string };

/** What one read of a stream gave. */
export type StreamRead = {
  /** Bytes; 0 at the end of the stream. */
  readonly length: number;
  /** Resolves when they are in the sink. Rejects when the sink took them not (EPIPE). */
  readonly written: Promise<void>;
};

/** The agent, as the sandbox talks to it. */
export interface Agent {
  /**
   * One request.
   * @param timeoutMs undefined: the configured `request_timeout`; Infinity: none (WaitProcess).
   * @throws KataError the agent's own; DeadlineExceeded naming the request; Unavailable when the channel is gone.
   */
  request<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    message: Init<Req>,
    timeoutMs?: number,
  ): Promise<Res>;
  /** Reads what a stream of the process has, at most `max` bytes, into `sink`. The bytes never become a script's. */
  readInto(stream: "stdout" | "stderr", process: ProcessRef, max: number, sink: number): Promise<StreamRead>;
  /** Writes a block to the process's stdin; takes the block over. */
  writeStdin(process: ProcessRef, block: Block): Promise<void>;
  /** Ends the connection; what waits is rejected. */
  close(): void;
}
