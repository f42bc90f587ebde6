import type { Namespace, Spec } from "@kata-containers/oci";
import { Fd, KataError, O, ops } from "@kata-containers/sys";

/** Whether a path names a namespace of the sandbox's. */
export interface SandboxNamespaces {
  readonly network: (path: string) => boolean;
  readonly pid: (path: string) => boolean;
}

/**
 * A container of a pod has the sandbox's network, and may have its pid namespace; no other.
 * @throws KataError InvalidArgument
 */
export function checkJoinedNamespaces(spec: Spec, sandboxId: string, sandbox: SandboxNamespaces): void {
  const named = (type: Namespace["type"]) => spec.linux?.namespaces?.find((each) => each.type === type);
  const network = named("network");
  if (network !== undefined && !(network.path && sandbox.network(network.path))) {
    const what = network.path ? `${network.path} is` : "a new one is";
    throw new KataError(
      "InvalidArgument",
      `linux.namespaces: network: ${what} not that of sandbox "${sandboxId}", which the container joins`,
    );
  }
  const pid = named("pid")?.path;
  if (pid && !sandbox.pid(pid)) {
    throw new KataError(
      "InvalidArgument",
      `linux.namespaces: pid: ${pid} is not that of sandbox "${sandboxId}", the only one that can be shared`,
    );
  }
}

/** Whether two paths lead to one namespace. @throws KataError when one of them cannot be opened */
export function isSameNamespace(path: string, sandboxs: string): boolean {
  using one = openNamespace(path, "cannot open the namespace");
  using two = openNamespace(sandboxs, "cannot open the sandbox's namespace");
  const [a, b] = [ops.fstat(one.number), ops.fstat(two.number)];
  return a.dev === b.dev && a.ino === b.ino;
}

/** @throws KataError saying `what` */
export function openNamespace(path: string, what: string): Fd {
  try {
    return new Fd(ops.open(path, O.RDONLY | O.CLOEXEC, 0));
  } catch (error) {
    throw KataError.from(error, what);
  }
}
