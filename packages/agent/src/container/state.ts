import { KataError } from "@kata-containers/sys";

export type ContainerState = "created" | "running" | "paused" | "stopped";

/** What can be done to a container, or happens to it, and in which states; `to`: the state afterwards. */
const TRANSITIONS = {
  start: { from: ["created"], to: "running" },
  exec: { from: ["created", "running", "paused"], to: undefined },
  signal: { from: ["created", "running", "paused"], to: undefined },
  pause: { from: ["created", "running"], to: "paused" },
  // To the state in which it was paused: the container knows.
  resume: { from: ["paused"], to: undefined },
  exit: { from: ["created", "running", "paused"], to: "stopped" },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly ContainerState[]; readonly to: ContainerState | undefined }>
>;

export type Transition = keyof typeof TRANSITIONS;

/**
 * The state after `verb`.
 * @throws KataError FailedPrecondition when the container's state does not allow it
 */
export function next(id: string, state: ContainerState, verb: Transition): ContainerState {
  const { from, to } = TRANSITIONS[verb];
  const allowed: readonly ContainerState[] = from;
  if (!allowed.includes(state)) {
    throw new KataError(
      "FailedPrecondition",
      `cannot ${verb} container ${id}: it is ${state}, not ${from.join(" or ")}`,
    );
  }
  return to ?? state;
}
