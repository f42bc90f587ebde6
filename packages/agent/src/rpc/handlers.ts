import {
  AgentService,
  Forwarder as ForwarderService,
  Health,
  Resolver as ResolverService,
} from "@kata-containers/protocols";
import { Handlers } from "@kata-containers/ttrpc";
import { Forwarder } from "../network/forwarder.ts";
import type { GuestNetwork } from "../network/guest-network.ts";
import { Resolver } from "../network/resolver.ts";
import type { Hotplug } from "../sandbox/hotplug.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { containerMethods } from "./container-methods.ts";
import { forwarderMethods } from "./forwarder-methods.ts";
import { healthMethods } from "./health-methods.ts";
import { metricsMethods } from "./metrics-methods.ts";
import { networkMethods } from "./network-methods.ts";
import { resolverMethods } from "./resolver-methods.ts";
import { resourceMethods } from "./resource-methods.ts";
import { sandboxMethods } from "./sandbox-methods.ts";
import { streamMethods, WRITE_STDIN_DATA } from "./stream-methods.ts";

/** What the agent answers; every other method of the service is Unimplemented. */
export function agentHandlers(sandbox: Sandbox, network: GuestNetwork, hotplug: Hotplug): Handlers {
  const ofSandbox = sandboxMethods(sandbox, hotplug);
  const ofContainer = containerMethods(sandbox);
  const ofResource = resourceMethods(sandbox);
  const forwarder = new Forwarder();
  const ofStream = streamMethods(sandbox, forwarder);
  const ofForwarder = forwarderMethods(forwarder);
  const ofNetwork = networkMethods(network);
  const ofResolver = resolverMethods(new Resolver());
  const ofHealth = healthMethods();
  return new Handlers()
    .unary(Health.Check, ofHealth.Check)
    .unary(Health.Version, ofHealth.Version)
    .unary(AgentService.CreateSandbox, ofSandbox.CreateSandbox)
    .unary(AgentService.DestroySandbox, ofSandbox.DestroySandbox)
    .unary(AgentService.CopyFile, ofSandbox.CopyFile)
    .unary(AgentService.ReseedRandomDev, ofSandbox.ReseedRandomDev)
    .unary(AgentService.SetGuestDateTime, ofSandbox.SetGuestDateTime)
    .unary(AgentService.OnlineCPUMem, ofSandbox.OnlineCPUMem)
    .unary(AgentService.GetGuestDetails, ofSandbox.GetGuestDetails)
    .unary(AgentService.GetMetrics, metricsMethods().GetMetrics)
    .unary(AgentService.CreateContainer, ofContainer.CreateContainer)
    .unary(AgentService.StartContainer, ofContainer.StartContainer)
    .unary(AgentService.ExecProcess, ofContainer.ExecProcess)
    .unary(AgentService.SignalProcess, ofContainer.SignalProcess)
    .unary(AgentService.WaitProcess, ofContainer.WaitProcess)
    .unary(AgentService.RemoveContainer, ofContainer.RemoveContainer)
    .unary(AgentService.PauseContainer, ofResource.PauseContainer)
    .unary(AgentService.ResumeContainer, ofResource.ResumeContainer)
    .unary(AgentService.UpdateContainer, ofResource.UpdateContainer)
    .unary(AgentService.StatsContainer, ofResource.StatsContainer)
    .unary(AgentService.ListProcesses, ofResource.ListProcesses)
    .unary(AgentService.GetOOMEvent, ofResource.GetOOMEvent)
    .unary(AgentService.UpdateInterface, ofNetwork.UpdateInterface)
    .unary(AgentService.UpdateRoutes, ofNetwork.UpdateRoutes)
    .unary(AgentService.ListInterfaces, ofNetwork.ListInterfaces)
    .unary(AgentService.ListRoutes, ofNetwork.ListRoutes)
    .unary(AgentService.AddARPNeighbors, ofNetwork.AddARPNeighbors)
    .unary(AgentService.ReadStdout, ofStream.ReadStdout)
    .unary(AgentService.ReadStderr, ofStream.ReadStderr)
    .bulkRequest(AgentService.WriteStdin, WRITE_STDIN_DATA, ofStream.WriteStdin)
    .unary(AgentService.CloseStdin, ofStream.CloseStdin)
    .unary(AgentService.TtyWinResize, ofStream.TtyWinResize)
    .unary(ForwarderService.Connect, ofForwarder.Connect)
    .unary(ForwarderService.Close, ofForwarder.Close)
    .unary(ResolverService.Listen, ofResolver.Listen)
    .unary(ResolverService.NextQueries, ofResolver.NextQueries)
    .unary(ResolverService.Answer, ofResolver.Answer);
}
