import { KataError } from "@kata-containers/sys";
import type { ContainerStatus } from "./persist/record.ts";

/** OCI runtime-spec, runtime.md, "Lifecycle": where a container may go from each state. */
export const CONTAINER_TRANSITIONS: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  creating: ["created", "stopped"],
  created: ["running", "paused", "stopped"],
  running: ["paused", "stopped"],
  paused: ["created", "running", "stopped"],
  stopped: [],
};

/** What may be asked of a container in which state. */
export const ALLOWED = {
  start: ["created"],
  exec: ["created", "running", "paused"],
  pause: ["created", "running"],
  resume: ["paused"],
  update: ["created", "running", "paused"],
  stats: ["created", "running", "paused"],
  kill: ["created", "running", "paused"],
  resize: ["created", "running", "paused"],
  // Not one that is only created: OCI runtime-spec, runtime.md, "Delete".
  delete: ["stopped"],
} as const satisfies Readonly<Record<string, readonly ContainerStatus[]>>;

/** Clients of OCI runtimes look for these texts, which are runc's. */
const REFUSALS: Readonly<Record<keyof typeof ALLOWED, (status: ContainerStatus) => string>> = {
  start: (status) =>
    ({
      running: "cannot start an already running container",
      stopped: "cannot start a container that has stopped",
    })[status as string] ?? `cannot start a container in the ${status} state`,
  exec: () => "cannot exec in a stopped container",
  pause: () => "container not running",
  resume: () => "container not paused",
  update: () => "container not running",
  stats: () => "container with id ID is not running",
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

/** @throws KataError FailedPrecondition when nothing can be executed in a container of that state. */
export function checkExec(id: string, status: ContainerStatus, ignorePaused: boolean): void {
  checkAllowed("exec", id, status);
  if (status === "paused" && !ignorePaused) {
    throw new KataError(
      "FailedPrecondition",
      "cannot exec in a paused container (use --ignore-paused to override)",
    );
  }
}

/** @throws KataError Internal: a transition that the table does not have is a defect of ours. */
export function nextStatus(from: ContainerStatus, to: ContainerStatus): ContainerStatus {
  if (!CONTAINER_TRANSITIONS[from].includes(to))
    throw new KataError("Internal", `container state ${from} -> ${to}`);
  return to;
}
