import {
  type CreateContainerRequest,
  type ExecProcessRequest,
  grpcToProcess,
  grpcToSpec,
  type RemoveContainerRequest,
  type SignalProcessRequest,
  type StartContainerRequest,
  type WaitProcessRequest,
} from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { checkContainerId, checkExecId, checkSignal } from "../check.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** The RPCs about containers and their processes. */
export const containerMethods = (sandbox: Sandbox) => ({
  CreateContainer: async (request: CreateContainerRequest) => {
    const id = checkContainerId(request.containerId);
    const execId = checkExecId(request.execId === "" ? id : request.execId);
    if (request.OCI === undefined) throw new KataError("InvalidArgument", "OCI: missing");
    if (request.devices.length > 0) throw new KataError("Unimplemented", "devices: not supported yet");
    const { storages, sandboxPidns: sharePid } = request;
    await sandbox.createContainer({ id, execId, spec: grpcToSpec(request.OCI), storages, sharePid });
    return {};
  },

  StartContainer: async (request: StartContainerRequest) => {
    sandbox.container(request.containerId).start();
    return {};
  },

  ExecProcess: async (request: ExecProcessRequest) => {
    const container = sandbox.container(request.containerId);
    if (request.process === undefined) throw new KataError("InvalidArgument", "process: missing");
    await container.exec(checkExecId(request.execId), grpcToProcess(request.process));
    return {};
  },

  SignalProcess: async (request: SignalProcessRequest) => {
    sandbox.container(request.containerId).signal(request.execId, checkSignal(request.signal));
    return {};
  },

  WaitProcess: async (request: WaitProcessRequest) => ({
    status: await sandbox.container(request.containerId).wait(request.execId),
  }),

  RemoveContainer: async (request: RemoveContainerRequest) => {
    await sandbox.remove(request.containerId, request.timeout);
    return {};
  },
});
