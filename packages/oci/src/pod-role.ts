import { KataError } from "@kata-containers/sys";
import { validateContainerId } from "./container-id.ts";

/** What a container is in its pod, by the annotations of its specification. */
export type PodRole =
  /** It belongs to no pod: a sandbox of its own. */
  | { readonly kind: "single" }
  /** The pod's first container, whose id is the sandbox's. */
  | { readonly kind: "sandbox" }
  /** One that joins the sandbox of its pod. */
  | { readonly kind: "container"; readonly sandboxId: string };

type PodAnnotations = {
  readonly type: string;
  readonly sandbox: string;
  readonly container: string;
  readonly sandboxId: string;
};

/** The names that each container manager uses, in the order in which they are tried. */
const MANAGERS: readonly PodAnnotations[] = [
  // containerd, internal/cri/annotations
  {
    type: "io.kubernetes.cri.container-type",
    sandbox: "sandbox",
    container: "container",
    sandboxId: "io.kubernetes.cri.sandbox-id",
  },
  // CRI-O, pkg/annotations
  {
    type: "io.kubernetes.cri-o.ContainerType",
    sandbox: "sandbox",
    container: "container",
    sandboxId: "io.kubernetes.cri-o.SandboxID",
  },
  // dockershim (cri-dockerd)
  {
    type: "io.kubernetes.docker.type",
    sandbox: "podsandbox",
    container: "container",
    sandboxId: "io.kubernetes.sandbox.id",
  },
];

/**
 * Reads a container's role in its pod from its annotations.
 * @throws KataError InvalidArgument for an unknown type, or a container whose sandbox's id is missing or none
 */
export function podRole(annotations: Readonly<Record<string, string>> | undefined): PodRole {
  const names = MANAGERS.find(({ type }) => annotations?.[type] !== undefined);
  if (names === undefined) return { kind: "single" };
  const type = annotations?.[names.type] ?? "";
  if (type === names.sandbox) return { kind: "sandbox" };
  if (type !== names.container) {
    const known = `${names.sandbox} or ${names.container}`;
    throw invalid(`annotation ${names.type}: ${JSON.stringify(type)} is not ${known}`);
  }
  const sandboxId = annotations?.[names.sandboxId];
  if (sandboxId === undefined)
    throw invalid(`annotation ${names.sandboxId}: is missing, and the container joins a sandbox`);
  try {
    return { kind: "container", sandboxId: validateContainerId(sandboxId) };
  } catch (cause) {
    throw invalid(`annotation ${names.sandboxId}: ${KataError.from(cause).message}`);
  }
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}
