import {
  type CompiledSeccomp,
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
    const spec = grpcToSpec(request.OCI);
    const seccomp = checkFilter(request.seccomp);
    await sandbox.createContainer({ id, execId, spec, seccomp, storages, sharePid });
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

/** BPF_MAXINSNS of include/uapi/linux/bpf_common.h, times the size of struct sock_filter. */
const MAX_FILTER_BYTES = 4096 * 8;

function checkFilter(filter: CompiledSeccomp | undefined): CompiledSeccomp | undefined {
  const bytes = filter?.program.byteLength ?? 8;
  if (bytes === 0 || bytes % 8 !== 0 || bytes > MAX_FILTER_BYTES) {
    throw new KataError("InvalidArgument", `seccomp.program: ${bytes} bytes are no filter`);
  }
  return filter;
}
