import type { AbortSignalLike, KataError } from "@kata-containers/sys";
import type { Expiring } from "./deadlines.ts";
import type { Peer } from "./transport.ts";

/** What a handler knows of its call. */
export interface Context {
  readonly peer: Peer;
  /** Milliseconds that the caller waits; 0: for ever. */
  readonly timeoutMs: number;
  /** Aborted (its reason a KataError) when the time is over, or the connection has ended. */
  readonly signal: AbortSignalLike;
  /** Descriptors that came with the request. Who reads this owns them; unread, they are closed when the handler ends. */
  readonly fds: readonly number[];
}

const NO_FDS: readonly number[] = [];

/** One call that a server is answering. */
export class ServerCall implements Context, Expiring {
  deadline = 0;
  readonly peer: Peer;
  readonly timeoutMs: number;
  readonly stream: number;
  /** Size of the request, as long as it is in memory. */
  readonly bytes: number;
  /** Whether the answer is out, or nobody wants it any more. */
  answered = false;
  private untaken: readonly number[];
  private aborted: KataError | undefined;
  // Made when a handler asks for its signal: most never do.
  private controller: AbortController | undefined;
  private readonly onExpire: (call: ServerCall) => void;

  constructor(
    peer: Peer,
    stream: number,
    bytes: number,
    timeoutMs: number,
    fds: readonly number[],
    onExpire: (call: ServerCall) => void,
  ) {
    this.peer = peer;
    this.stream = stream;
    this.bytes = bytes;
    this.timeoutMs = timeoutMs;
    this.untaken = fds;
    this.onExpire = onExpire;
  }

  get fds(): readonly number[] {
    const fds = this.untaken;
    this.untaken = NO_FDS;
    return fds;
  }

  get signal(): AbortSignalLike {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.aborted) {
        this.controller.abort(this.aborted);
      }
    }
    return this.controller.signal;
  }

  expire(): void {
    this.onExpire(this);
  }

  abort(reason: KataError): void {
    this.aborted = reason;
    this.controller?.abort(reason);
  }
}
