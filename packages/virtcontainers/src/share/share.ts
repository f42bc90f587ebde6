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

/** A share that waits for its server and for the VMM. */
export interface OpenShare {
  /** Connected to where the server will answer: the VMM inherits it. undefined: the VMM is the server. */
  readonly vmmFd: number | undefined;
  /** Starts the server. @throws KataError naming it and the reason */
  serve(): Promise<ShareServer>;
  /** Closes this side's descriptors, which server and VMM have by then. */
  close(): void;
}

/** A way to show a directory of the host to the guest. */
export interface ShareDriver {
  readonly name: string;
  readonly guestMount: GuestMount;
  open(): Promise<OpenShare>;
}

/** Nothing is shared, or the VMM serves the share itself: there is no server. */
export const NO_SHARE: ShareDriver = {
  name: "none",
  guestMount: { driver: "", source: "", fstype: "", options: [] },
  open: async () => ({
    vmmFd: undefined,
    serve: async () => ({
      identity: undefined,
      ended: new Promise(() => {}),
      lastWords: () => "",
      stop: async () => {},
    }),
    close: () => {},
  }),
};
