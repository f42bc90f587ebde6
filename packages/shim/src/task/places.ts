import { ops } from "@kata-containers/sys";
import { hex, RUNTIME_DIR } from "@kata-containers/virtcontainers";

/** Where shims of containerd have their sockets (containerd pkg/shim, socketRoot): /run is there even if /run/containerd is elsewhere. */
const SOCKETS = "/run/containerd/s";

/** The path of the socket that serves a sandbox's tasks; one a containerd, namespace and sandbox. */
export function taskSocket(address: string, namespace: string, sandboxId: string): string {
  const digest = ops.sha256(ops.utf8Encode(`${address}/${namespace}/${sandboxId}`));
  return `${SOCKETS}/${hex(digest)}`;
}

/** Directory of the records of a namespace's sandboxes: two of them may use one id. `kata-runtime --root` of it sees them. */
export function taskRoot(namespace: string): string {
  return `${RUNTIME_DIR}/containerd/${namespace}`;
}
