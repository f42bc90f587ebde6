import { type Namespace, podRole, type Spec } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/** Those that a pod's containers share in its VM, whatever they are called on the host. */
const OF_POD: ReadonlySet<Namespace["type"]> = new Set(["ipc", "uts", "pid"]);

/** Those that a container shares with the host's processes when it names none, as runc has it; in a VM nobody is there to share with. */
const OF_HOST: ReadonlySet<Namespace["type"]> = new Set(["pid", "ipc"]);

/**
 * What a specification says of namespaces that are there: one of the host's kernel cannot be joined from a VM, but for the network's,
 * which the VM is in.
 * @returns warnings, one line each
 * @throws KataError InvalidArgument naming the namespace
 */
export function checkNamespaces({ annotations, linux }: Spec): readonly string[] {
  const namespaces = linux?.namespaces ?? [];
  const inPod = podRole(annotations).kind !== "single";
  for (const { type, path } of namespaces) {
    if (!path || type === "network" || (inPod && OF_POD.has(type))) continue;
    const why = OF_POD.has(type)
      ? `only a container of a pod can join one: ${path} is the host's kernel's, the container has another`
      : `${path} is the host's kernel's, the container has another`;
    throw new KataError("InvalidArgument", `linux.namespaces: ${type}: ${why}`);
  }
  if (inPod) return [];
  return [...OF_HOST]
    .filter((type) => !namespaces.some((each) => each.type === type))
    .map((type) => `linux.namespaces: ${type}: is missing: the container has one of its own, not the host's`);
}
