import type { ExitStatus } from "@kata-containers/sys";
import type { ProcessIdentity } from "../persist/record.ts";

/** How the guest mounts the share: goes to the agent as a storage of CreateSandbox. */
export type GuestMount = {
  readonly driver: string;
  readonly source: string;
  readonly fstype: string;
  readonly options: readonly string[];
};

/** The running server of a share. */
export interface ShareServer {
  readonly identity: ProcessIdentity | undefined;
  readonly ended: Promise<ExitStatus>;
  lastWords(): string;
  /** Kills the server, if it still runs; resolves when it is gone. */
  stop(): Promise<void>;
}

/** What `ShareDriver.start` returns: the server, and the descriptor that the VMM takes its side from (owned by the caller). */
export type StartedShare = { readonly server: ShareServer; readonly vmmFd: number };

/** A way to show a directory of the host to the guest. */
export interface ShareDriver {
  readonly name: string;
  readonly guestMount: GuestMount;
  /** @throws KataError naming the server and the reason. */
  start(): Promise<StartedShare>;
}
