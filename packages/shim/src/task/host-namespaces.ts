import { CLONE, Fd, KataError, MS, O, ops } from "@kata-containers/sys";

const OWN_MOUNTS = "/proc/thread-self/ns/mnt";
const OWN_NETWORK = "/proc/thread-self/ns/net";

/**
 * The mount and network namespaces that this process was started in, containerd's, for what is to be done there after it has left them:
 * paths in a request are that mount namespace's. To be made before it leaves; all of a program of ours runs on one thread, which can go back for a moment.
 */
export class HostNamespaces {
  readonly #mounts: Fd;
  readonly #network: Fd;

  constructor() {
    // Root and current directory of this thread alone (setns(2), EINVAL): another one is there for a moment now and then.
    ops.unshare(CLONE.FS);
    this.#mounts = new Fd(ops.open(OWN_MOUNTS, O.RDONLY | O.CLOEXEC, 0));
    this.#network = new Fd(ops.open(OWN_NETWORK, O.RDONLY | O.CLOEXEC, 0));
  }

  /** For `join` of a process that is to live there. */
  get all(): number[] {
    return [this.#network.number, this.#mounts.number];
  }

  /** Does something in the host's mount namespace. It cannot wait there: what is asynchronous goes on outside. */
  during<T>(work: () => T): T {
    using own = new Fd(ops.open(OWN_MOUNTS, O.RDONLY | O.CLOEXEC, 0));
    ops.setns(this.#mounts.number, CLONE.NEWNS);
    try {
      return work();
    } finally {
      comeBack(own);
    }
  }

  /** The same in a copy of it, of whose mounts nobody hears and which ends with the work: a clone of one of its mounts lives on. */
  duringPrivately<T>(work: () => T): T {
    return this.during(() => {
      ops.unshare(CLONE.NEWNS);
      ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
      return work();
    });
  }
}

/** Anywhere else this process must not go on. */
function comeBack(own: Fd): void {
  try {
    ops.setns(own.number, CLONE.NEWNS);
  } catch (error) {
    ops.writeSync(2, ops.utf8Encode(`cannot leave the host's mounts: ${KataError.from(error).message}\n`));
    ops.exit(1);
  }
}
