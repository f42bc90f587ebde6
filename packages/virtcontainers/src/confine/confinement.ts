/** Where things are for the programs that the daemon starts, after it has moved to its small root. */
export type Confinement = {
  /** kata-launch. */
  readonly launchPath: string;
  /** `cgroup.procs` files of the sandbox's cgroup. */
  readonly cgroupProcs: readonly string[];
  /** A directory, itself a mount, with all that the VMM may see. */
  readonly vmmRoot: string;
  /** The same for the program that serves the share, when the VMM does not. */
  readonly shareServerRoot: string;
  /** The directory that the guest sees: read-only, but for the trees that are mounted in it. */
  readonly shareDir: string;
  /** The same directory, writable: mount points are made here. */
  readonly sharePlaces: string;
  readonly memory: MemoryPlace;
};

/** A directory for the guest's memory, when that is a file (the VMM sees it at `MEMORY_DIR`), or why there is none. */
export type MemoryPlace = { readonly directory: string } | { readonly obstacle: string };

/** Places in the daemon's small root. */
export const LAUNCH_PATH = "/kata-launch";
export const VMM_ROOT = "/vmm";
export const SHARE_SERVER_ROOT = "/share-server";
/** Also its place in the root of the program that serves it. */
export const SHARE_DIR = "/share";
export const SHARE_PLACES = "/share-places";
/** Also its place in the VMM's root. */
export const MEMORY_DIR = "/memory";
/** For sockets that have a name only while they are connected. */
export const SOCKET_DIR = "/sockets";
