import type { Namespace, Spec } from "@kata-containers/oci";
import { KataError, ops } from "@kata-containers/sys";

/**
 * A container of a pod has the sandbox's network, and may have its pid namespace; no other. To be called in the host's view, from the
 * sandbox's network namespace.
 * @throws KataError InvalidArgument
 */
export function checkJoinedNamespaces(spec: Spec, sandboxId: string): void {
  const named = (type: Namespace["type"]) => spec.linux?.namespaces?.find((each) => each.type === type);
  const network = named("network");
  if (network !== undefined && !(network.path && isSame(network.path, "/proc/thread-self/ns/net"))) {
    const what = network.path ? `${network.path} is` : "a new one is";
    throw new KataError(
      "InvalidArgument",
      `linux.namespaces: network: ${what} not that of sandbox "${sandboxId}", which the container joins`,
    );
  }
  const pid = named("pid")?.path;
  // Our pid stands for the sandbox's containers on the host, where its namespaces are not the guest's: the name says it.
  if (pid && pid !== `/proc/${ops.getpid()}/ns/pid`) {
    throw new KataError(
      "InvalidArgument",
      `linux.namespaces: pid: ${pid} is not that of sandbox "${sandboxId}", the only one that can be shared`,
    );
  }
}

function isSame(path: string, other: string): boolean {
  try {
    const [a, b] = [ops.stat(path), ops.stat(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch (error) {
    throw KataError.from(error, "cannot open the namespace");
  }
}
