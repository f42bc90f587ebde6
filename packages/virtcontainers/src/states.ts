import { KataError } from "@kata-containers/sys";
import type { ContainerStatus } from "./persist/record.ts";

/** OCI runtime-spec, runtime.md, "Lifecycle": where a container may go from each state. */
export const CONTAINER_TRANSITIONS: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  creating: ["created", "stopped"],
  created: ["running", "stopped"],
  running: ["paused", "stopped"],
  paused: ["running", "stopped"],
  stopped: [],
};

/** What may be asked of a container in which state. */
export const ALLOWED = {
  start: ["created"],
  exec: ["running"],
  kill: ["created", "running", "paused"],
  resize: ["created", "running", "paused"],
  delete: ["creating", "created", "stopped"],
} as const satisfies Readonly<Record<string, readonly ContainerStatus[]>>;

/** Clients of OCI runtimes look for these texts, which are runc's. */
const REFUSALS: Readonly<Record<keyof typeof ALLOWED, (status: ContainerStatus) => string>> = {
  start: (status) =>
    status === "stopped"
      ? "cannot start a container that has stopped"
      : "cannot start an already running container",
  exec: () => "cannot exec in a container that is not running",
  kill: () => "container not running",
  resize: () => "container not running",
  delete: (status) => `cannot delete container ID that is not stopped: ${status}`,
};

/** @throws KataError FailedPrecondition when the action is not for a container in that state. */
export function checkAllowed(action: keyof typeof ALLOWED, id: string, status: ContainerStatus): void {
  const allowed: readonly ContainerStatus[] = ALLOWED[action];
  if (allowed.includes(status)) return;
  throw new KataError("FailedPrecondition", REFUSALS[action](status).replace("ID", id));
}

/** @throws KataError Internal: a transition that the table does not have is a defect of ours. */
export function nextStatus(from: ContainerStatus, to: ContainerStatus): ContainerStatus {
  if (!CONTAINER_TRANSITIONS[from].includes(to))
    throw new KataError("Internal", `container state ${from} -> ${to}`);
  return to;
}
