import type { Init, Method } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { FoundContainer } from "./find-container.ts";

/** The daemon asks the agent, which has a time-out of its own; this one is for a daemon that hangs. */
export const ASK_MS = 120_000;

/**
 * One request about a container that must not have stopped.
 * @param stopped what is said when it has, daemon and all
 * @throws KataError FailedPrecondition, and what the daemon says
 */
export async function askLive<Req extends object, Res extends object>(
  { daemon }: FoundContainer,
  method: Method<Req, Res>,
  request: Init<Req>,
  stopped = "container not running",
): Promise<Res> {
  const gone = () => new KataError("FailedPrecondition", stopped);
  if (daemon === undefined) throw gone();
  try {
    return await daemon.call(method, request, { timeoutMs: ASK_MS });
  } catch (error) {
    throw error instanceof KataError && error.code === "Unavailable" ? gone() : error;
  }
}
