import type { KataConfig } from "@kata-containers/config";
import { runLaterHooks } from "@kata-containers/launch";
import { Daemon, type Phase } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import type { ContainerRecord } from "@kata-containers/virtcontainers";
import type { Globals } from "../globals.ts";
import { reportWarning } from "../report-error.ts";

/** The daemon asks the agent, once; it has a time-out of its own, and this one is for a daemon that hangs. */
const START_MS = 120_000;

/**
 * Lets a created container's process run, then runs its poststart hooks: one that fails is a warning.
 * @throws KataError FailedPrecondition unless it is created; Unavailable when the daemon ends meanwhile
 */
export async function startContainer(
  daemon: DaemonClient,
  container: ContainerRecord,
  globals: Globals,
): Promise<readonly Phase[]> {
  const { id } = container;
  const { pid, phases } = await daemon.call(Daemon.Start, { id }, { timeoutMs: START_MS });
  const warn = (message: string) => reportWarning(globals, message);
  await runLaterHooks("poststart", container.hooks?.poststart, container, pid, warn);
  return phases;
}

/** Time-out of one request that the daemon passes on to the agent. */
export function requestTimeoutMs(config: KataConfig): number {
  return (config.agent.request_timeout + 5) * 1000;
}
