import type { Init, Method } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import { KataError } from "@kata-containers/sys";
import type { ContainerRecord } from "@kata-containers/virtcontainers";
import { containerIn, type FoundContainer, toldState } from "./find-container.ts";
import { LostDaemon } from "./lost-daemon.ts";

/** The daemon asks the agent, which has a time-out of its own; this one is for a daemon that hangs. */
export const ASK_MS = 120_000;

/**
 * The daemon of a container that must not have stopped.
 * @param stopped what is said when it has, daemon and all
 * @throws KataError FailedPrecondition; LostDaemon when the daemon has ended and the container had not
 */
export function liveDaemon(found: FoundContainer, stopped = "container not running"): DaemonClient {
  if (found.daemon !== undefined) return found.daemon;
  if (wasLost(found)) throw new LostDaemon(found.container.id);
  throw new KataError("FailedPrecondition", stopped);
}

/**
 * One request about a container that must not have stopped.
 * @throws KataError as `liveDaemon`, and what the daemon says
 */
export async function askLive<Req extends object, Res extends object>(
  found: FoundContainer,
  method: Method<Req, Res>,
  request: Init<Req>,
  stopped?: string,
): Promise<Res> {
  return await liveDaemon(found, stopped).call(method, request, { timeoutMs: ASK_MS });
}

/** What the container does now, as `currentState`, which takes one with a lost daemon for stopped. @throws LostDaemon */
export async function liveState(found: FoundContainer): Promise<ContainerRecord> {
  if (found.daemon === undefined && wasLost(found)) throw new LostDaemon(found.container.id);
  return await toldState(found);
}

/**
 * Whether a container without a daemon is so unexpectedly: a daemon that goes when its time has come has recorded the end.
 * @throws KataError NotFound when the container was deleted meanwhile
 */
function wasLost({ store, container }: FoundContainer): boolean {
  const { status } = containerIn(store, container.id).container;
  return status !== "stopped" && status !== "creating";
}
