import type { KataConfig } from "@kata-containers/config";
import { Daemon, type Phase } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";

/** The daemon asks the agent, once; it has a time-out of its own, and this one is for a daemon that hangs. */
const START_MS = 120_000;

/** Lets a created container's process run. @throws KataError FailedPrecondition unless it is created */
export async function startContainer(daemon: DaemonClient, id: string): Promise<readonly Phase[]> {
  const { phases } = await daemon.call(Daemon.Start, { id }, { timeoutMs: START_MS });
  return phases;
}

/** Time-out of one request that the daemon passes on to the agent. */
export function requestTimeoutMs(config: KataConfig): number {
  return (config.agent.request_timeout + 5) * 1000;
}
