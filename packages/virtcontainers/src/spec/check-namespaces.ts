import { type Namespace, podRole, type Spec } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/** Those that a pod's containers share in its VM, whatever they are called on the host. */
const OF_POD: ReadonlySet<Namespace["type"]> = new Set(["ipc", "uts", "pid"]);

/** Those that a container shares with the host when it names none, as runc has it, and why one in a VM cannot. */
const OF_HOST: readonly (readonly [Namespace["type"], string])[] = [
  ["network", "a virtual machine has no host networking"],
  ["pid", "the host's processes are not in the virtual machine"],
  ["ipc", "the host's queues and shared memory are not in the virtual machine"],
];

/**
 * What a specification says of namespaces that are there: one of the host's kernel cannot be joined from a VM, but for the network's,
 * which the VM is in, unless that is the host's own.
 * @throws KataError InvalidArgument naming the namespace
 */
export function checkNamespaces({ annotations, linux }: Spec): void {
  const namespaces = linux?.namespaces ?? [];
  const role = podRole(annotations).kind;
  const inPod = role !== "single";
  for (const { type, path } of namespaces) {
    if (!path || type === "network" || (inPod && OF_POD.has(type))) continue;
    const why = OF_POD.has(type)
      ? `only a container of a pod can join one: ${path} is the host's kernel's, the container has another`
      : `${path} is the host's kernel's, the container has another`;
    throw refusal(type, why);
  }
  for (const [type, why] of OF_HOST) {
    // In a pod a container that names none has the pod's.
    if (role === "container" || (inPod && OF_POD.has(type))) continue;
    if (!namespaces.some((each) => each.type === type))
      throw refusal(type, `is missing, and so the host's: ${why} (name it without a path for a new one)`);
  }
}

function refusal(type: Namespace["type"], why: string): KataError {
  return new KataError("InvalidArgument", `linux.namespaces: ${type}: ${why}`);
}
