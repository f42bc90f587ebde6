import { readStats, updateLimits } from "@kata-containers/launch";
import {
  type GetOOMEventRequest,
  grpcToResources,
  type ListProcessesRequest,
  type PauseContainerRequest,
  type ResumeContainerRequest,
  type StatsContainerRequest,
  type UpdateContainerRequest,
  withRest,
} from "@kata-containers/protocols";
import { KataError, ops, readText } from "@kata-containers/sys";
import type { Context } from "@kata-containers/ttrpc";
import { listProcesses } from "../process/process-list.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { parseNetworkStats } from "./network-stats.ts";

/** The RPCs about what a container uses, and what it may use. */
export const resourceMethods = (sandbox: Sandbox) => ({
  PauseContainer: async ({ containerId }: PauseContainerRequest) => {
    await sandbox.container(containerId).pause();
    return {};
  },

  ResumeContainer: async ({ containerId }: ResumeContainerRequest) => {
    sandbox.container(containerId).resume();
    return {};
  },

  UpdateContainer: async ({ containerId, resources, resourcesRestJson }: UpdateContainerRequest) => {
    const container = sandbox.liveContainer(containerId);
    if (resources === undefined) throw new KataError("InvalidArgument", "resources: missing");
    const { linux } = withRest({ linux: { resources: grpcToResources(resources) } }, resourcesRestJson);
    const { devices: _, ...limits } = linux.resources;
    updateLimits(limits, container.cgroups, "the guest's kernel");
    return {};
  },

  StatsContainer: async ({ containerId }: StatsContainerRequest) => ({
    cgroupStats: readStats(sandbox.liveContainer(containerId).cgroups),
    networkStats: parseNetworkStats(readText("/proc/net/dev")),
  }),

  /** As Kata 1.x's, but for the format: "json" are the guest's pids, "processes" is ours (ListedProcess). The host makes tables. */
  ListProcesses: async ({ containerId, format }: ListProcessesRequest) => {
    const container = sandbox.liveContainer(containerId);
    const pids = container.pids();
    if (format !== "json" && format !== "processes") {
      throw new KataError("InvalidArgument", `format: ${JSON.stringify(format)} is not json or processes`);
    }
    const list = format === "json" ? pids : listProcesses(pids, container.init.pid);
    return { processList: ops.utf8Encode(JSON.stringify(list)) };
  },

  GetOOMEvent: async (_: GetOOMEventRequest, { signal }: Context) => ({
    containerId: await sandbox.ooms.next(signal),
  }),
});
