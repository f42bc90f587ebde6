import type { Resources } from "@kata-containers/oci";
import {
  AgentService,
  resourcesToGrpc,
  restOf,
  type StatsContainerResponse,
} from "@kata-containers/protocols";
import { ops } from "@kata-containers/sys";
import type { Sandbox } from "./sandbox.ts";
import { checkUpdate } from "./spec/update-resources.ts";
import { checkAllowed } from "./states.ts";

// What is asked of a container while it is there, besides its processes: one request to the agent each.

/** Stops every process of a container that was created or runs. @throws KataError FailedPrecondition, DeadlineExceeded */
export async function pauseContainer(sandbox: Sandbox, id: string): Promise<void> {
  const container = sandbox.container(id);
  checkAllowed("pause", id, container.status);
  await sandbox.agent().request(AgentService.PauseContainer, { containerId: id });
  container.pause();
  sandbox.saveContainer(container);
}

/** Lets them run again. @throws KataError FailedPrecondition */
export async function resumeContainer(sandbox: Sandbox, id: string): Promise<void> {
  const container = sandbox.container(id);
  checkAllowed("resume", id, container.status);
  await sandbox.agent().request(AgentService.ResumeContainer, { containerId: id });
  container.resume();
  sandbox.saveContainer(container);
}

/**
 * Changes limits in the guest's control groups; what is absent or 0 stays. The VM grows to what they ask for first.
 * @throws KataError InvalidArgument, Unimplemented, and what the guest's kernel refuses
 */
export async function updateContainer(sandbox: Sandbox, id: string, resources: Resources): Promise<void> {
  checkAllowed("update", id, sandbox.container(id).status);
  const limits = checkUpdate(resources);
  await sandbox.fit(id, resources);
  const resourcesRestJson = restOf({ linux: { resources: limits } });
  const request = { containerId: id, resources: resourcesToGrpc(limits), resourcesRestJson };
  await sandbox.agent().request(AgentService.UpdateContainer, request);
}

/** What the container uses, as the guest's control groups count. */
export async function containerStats(sandbox: Sandbox, id: string): Promise<StatsContainerResponse> {
  checkAllowed("stats", id, sandbox.container(id).status);
  return await sandbox.agent().request(AgentService.StatsContainer, { containerId: id });
}

/** The processes in the guest, none once it has stopped: the agent's JSON, as a guest that may be hostile gave it. */
export async function guestProcesses(sandbox: Sandbox, id: string): Promise<Uint8Array> {
  if (sandbox.container(id).status === "stopped") return ops.utf8Encode("[]");
  const { processList } = await sandbox
    .agent()
    .request(AgentService.ListProcesses, { containerId: id, format: "processes" });
  return processList;
}

/** What stands on the host for the container's processes that have not ended. @param daemon for one that has no kata-shim */
export function hostPids(sandbox: Sandbox, id: string, daemon: number): number[] {
  const container = sandbox.container(id);
  if (container.status === "stopped") return [];
  const live = [...container.processes.values()].filter((process) => process.exit === undefined);
  // An exec that is still being started has none.
  const pids = live.map((process) => process.hostPid || (process === container.init ? daemon : 0));
  return [...new Set(pids.filter((pid) => pid > 0))];
}
