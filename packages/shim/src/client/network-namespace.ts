import type { Spec } from "@kata-containers/oci";
import { CLONE, Fd, KataError, O, ops } from "@kata-containers/sys";

/** NSFS_MAGIC, linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;

const OWN = "/proc/thread-self/ns/net";

/**
 * The sandbox's network namespace: the one that the specification names, else a new one. A virtual machine never lives
 * in the host's. A new one has no name: it is there as long as a descriptor or a process is in it.
 * @throws KataError naming the path; InvalidArgument for the host's own
 */
export function openNetworkNamespace(spec: Spec): Fd {
  const path = namedNetwork(spec);
  return path === undefined ? newNetworkNamespace() : openNamed(path);
}

/** The path of the network namespace that the specification names; undefined: it asks for a new one. */
export function namedNetwork(spec: Spec): string | undefined {
  return spec.linux?.namespaces?.find(({ type }) => type === "network")?.path || undefined;
}

function openNamed(path: string): Fd {
  try {
    const fd = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
    const isNamespace = ops.statfs(`/proc/self/fd/${fd.number}`).type === NSFS_MAGIC;
    if (isNamespace && !isOwn(fd)) return fd;
    fd.close();
    if (isNamespace) {
      const why = "is the host's: a virtual machine has no host networking (leave it out for a new one)";
      throw new KataError("InvalidArgument", `network namespace ${path}: ${why}`);
    }
  } catch (error) {
    if (error instanceof KataError) throw error;
    throw KataError.from(error, "cannot open the network namespace");
  }
  throw new KataError("InvalidArgument", `network namespace ${path}: is no namespace`);
}

/** Whether it is the one that this process lives in. */
function isOwn(namespace: Fd): boolean {
  const [one, own] = [ops.fstat(namespace.number), ops.stat(OWN)];
  return one.dev === own.dev && one.ino === own.ino;
}

/** unshare(2) acts on this thread; ours goes back to where it was, and the descriptor keeps what was made. */
function newNetworkNamespace(): Fd {
  try {
    using host = new Fd(ops.open(OWN, O.RDONLY | O.CLOEXEC, 0));
    ops.unshare(CLONE.NEWNET);
    try {
      return new Fd(ops.open(OWN, O.RDONLY | O.CLOEXEC, 0));
    } finally {
      ops.setns(host.number, CLONE.NEWNET);
    }
  } catch (error) {
    throw KataError.from(error, "cannot make a network namespace");
  }
}
