import type { KataConfig } from "@kata-containers/config";
import type { Init, Method } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import { deadline, type Fd, KataError } from "@kata-containers/sys";
import { type SandboxRecord, type Store, undoFromRecord } from "@kata-containers/virtcontainers";

/** How long a daemon may take to leave after its last answer, or after its owner has let go. */
const LEAVE_MS = 10_000;

export type LinkParts = {
  readonly id: string;
  readonly config: KataConfig;
  readonly store: Store;
  /** undefined: it is gone, and with it the virtual machine. */
  readonly daemon: DaemonClient | undefined;
  /** The daemon's process. */
  readonly process: { ended(): Promise<void>; kill(): Promise<void> } | undefined;
  /** With a record in memory: the daemon lives as long as this is open. */
  readonly owner: Fd | undefined;
};

/** This program's hold on a sandbox: its daemon and its record. */
export class SandboxLink {
  readonly id: string;
  readonly config: KataConfig;
  readonly store: Store;
  readonly inMemory: boolean;
  readonly #parts: LinkParts;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.config = parts.config;
    this.store = parts.store;
    this.inMemory = parts.owner !== undefined;
  }

  /** Time-out of a request that the daemon passes on to the agent, ms. */
  get requestMs(): number {
    return (this.config.agent.request_timeout + 5) * 1000;
  }

  /** One request to the daemon. @throws KataError its own; Unavailable when it is gone */
  async call<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: Init<Req>,
    options?: { readonly timeoutMs?: number; readonly fds?: readonly number[] },
  ): Promise<Res> {
    const { daemon } = this.#parts;
    if (daemon === undefined) throw new KataError("Unavailable", `sandbox ${this.id} has stopped`);
    return await daemon.call(method, request, options);
  }

  /** Lets go of the daemon. */
  close(): void {
    this.#parts.daemon?.[Symbol.dispose]();
    this.#parts.owner?.close();
  }

  /**
   * Waits until the daemon has left, and removes what it has not.
   * @param undone the daemon has said that it has removed everything
   */
  async end(undone: boolean): Promise<void> {
    const { process } = this.#parts;
    const record = undone ? undefined : this.#record();
    this.close();
    if (process !== undefined && (undone || this.inMemory)) {
      await deadline(process.ended(), LEAVE_MS, () => new Error("it stays")).catch(() => {});
      await process.kill();
    }
    if (record === undefined) return;
    try {
      await undoFromRecord(record);
    } finally {
      this.store.remove(this.id);
    }
  }

  #record(): SandboxRecord | undefined {
    try {
      return this.store.load(this.id);
    } catch (error) {
      if (error instanceof KataError && error.code === "NotFound") return undefined;
      throw error;
    }
  }
}
