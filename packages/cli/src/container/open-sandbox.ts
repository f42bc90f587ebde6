import type { KataConfig } from "@kata-containers/config";
import type { DaemonClient } from "@kata-containers/shim";
import type { Fd } from "@kata-containers/sys";

/** A sandbox that takes the container that is being created: a new one, or that of its pod. */
export interface OpenSandbox {
  readonly config: KataConfig;
  /** The daemon's socket. */
  readonly socket: string;
  readonly daemon: DaemonClient;
  readonly networkNamespace: Fd;
  /** Rejects when the daemon cannot start; it knows better why than a broken connection. */
  readonly ready: Promise<void>;
}
