import type { Spec } from "@kata-containers/oci";
import { CLONE, Fd, KataError, O, ops } from "@kata-containers/sys";

/** NSFS_MAGIC, linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;

/**
 * The sandbox's network namespace: the one that the specification names, else a new one. A virtual machine never lives
 * in the host's. A new one has no name: it is there as long as a descriptor or a process is in it.
 * @throws KataError naming the path
 */
export function openNetworkNamespace(spec: Spec): Fd {
  const path = spec.linux?.namespaces?.find((namespace) => namespace.type === "network")?.path;
  return path === undefined || path === "" ? newNetworkNamespace() : openNamed(path);
}

function openNamed(path: string): Fd {
  try {
    const fd = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
    if (ops.statfs(`/proc/self/fd/${fd.number}`).type === NSFS_MAGIC) return fd;
    fd.close();
  } catch (error) {
    throw KataError.from(error, "cannot open the network namespace");
  }
  throw new KataError("InvalidArgument", `network namespace ${path}: is no namespace`);
}

/** unshare(2) acts on this thread; ours goes back to where it was, and the descriptor keeps what was made. */
function newNetworkNamespace(): Fd {
  const own = "/proc/thread-self/ns/net";
  try {
    using host = new Fd(ops.open(own, O.RDONLY | O.CLOEXEC, 0));
    ops.unshare(CLONE.NEWNET);
    try {
      return new Fd(ops.open(own, O.RDONLY | O.CLOEXEC, 0));
    } finally {
      ops.setns(host.number, CLONE.NEWNET);
    }
  } catch (error) {
    throw KataError.from(error, "cannot make a network namespace");
  }
}
