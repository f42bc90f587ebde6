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
  withRest,
} from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { Context } from "@kata-containers/ttrpc";
import { checkContainerId, checkExecId, checkSignal } from "../check.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** The RPCs about containers and their processes. */
export const containerMethods = (sandbox: Sandbox) => ({
  CreateContainer: async (request: CreateContainerRequest, context: Context) => {
    const id = checkContainerId(request.containerId);
    const execId = checkExecId(request.execId === "" ? id : request.execId);
    if (request.OCI === undefined) throw new KataError("InvalidArgument", "OCI: missing");
    if (request.devices.length > 0) throw new KataError("Unimplemented", "devices: not supported yet");
    const { storages, sandboxPidns: sharePid } = request;
    const spec = withRest(grpcToSpec(request.OCI), request.ociRestJson);
    const seccomp = checkFilter(request.seccomp);
    const timeoutMs = launchTimeout(context);
    await sandbox.createContainer({ id, execId, spec, seccomp, storages, sharePid, timeoutMs });
    return {};
  },

  StartContainer: async (request: StartContainerRequest) => {
    sandbox.container(request.containerId).start();
    return {};
  },

  ExecProcess: async (request: ExecProcessRequest, context: Context) => {
    const container = sandbox.container(request.containerId);
    if (request.process === undefined) throw new KataError("InvalidArgument", "process: missing");
    const { process } = withRest({ process: grpcToProcess(request.process) }, request.processRestJson);
    const { cgroups } = request;
    await container.exec(checkExecId(request.execId), {
      process,
      cgroups,
      timeoutMs: launchTimeout(context),
    });
    return {};
  },

  SignalProcess: async (request: SignalProcessRequest) => {
    await sandbox.container(request.containerId).signal(request.execId, checkSignal(request.signal));
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

/** The rest of the caller's time is for telling it where the launch was stuck. */
const LAUNCH_SHARE = 0.9;

/** For a caller that waits for ever, so does the launch: an exec in a paused container goes on when that is resumed. */
function launchTimeout({ timeoutMs }: Context): number {
  return timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs * LAUNCH_SHARE;
}

/** BPF_MAXINSNS of include/uapi/linux/bpf_common.h, times the size of struct sock_filter. */
const MAX_FILTER_BYTES = 4096 * 8;

function checkFilter(filter: CompiledSeccomp | undefined): CompiledSeccomp | undefined {
  const bytes = filter?.program.byteLength ?? 8;
  if (bytes === 0 || bytes % 8 !== 0 || bytes > MAX_FILTER_BYTES) {
    throw new KataError("InvalidArgument", `seccomp.program: ${bytes} bytes are no filter`);
  }
  return filter;
}
