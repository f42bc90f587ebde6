import type * as oci from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import type { Init } from "./codec.ts";
import type * as grpc from "./gen/oci.gen.ts";
import { grpcToLinux, linuxToGrpc } from "./oci-linux.ts";
import { given, numberOrNone, RLIM_INFINITY } from "./oci-values.ts";

/**
 * An OCI spec as the agent's protocol carries it. A missing member becomes proto3's default, which the agent takes for
 * missing; what the protocol has no field for is `restOf`.
 */
export function specToGrpc(spec: oci.Spec): Init<grpc.Spec> {
  return {
    Version: spec.ociVersion,
    Process: spec.process && processToGrpc(spec.process),
    Root: spec.root && { Path: spec.root.path, Readonly: spec.root.readonly },
    Hostname: spec.hostname,
    Domainname: spec.domainname,
    Mounts: spec.mounts,
    Hooks: spec.hooks && {
      Prestart: spec.hooks.prestart?.map(hookToGrpc),
      Poststart: spec.hooks.poststart?.map(hookToGrpc),
      Poststop: spec.hooks.poststop?.map(hookToGrpc),
      CreateRuntime: spec.hooks.createRuntime?.map(hookToGrpc),
      CreateContainer: spec.hooks.createContainer?.map(hookToGrpc),
      StartContainer: spec.hooks.startContainer?.map(hookToGrpc),
    },
    Annotations: new Map(Object.entries(spec.annotations ?? {})),
    Linux: spec.linux && linuxToGrpc(spec.linux),
  };
}

/**
 * The OCI spec in a message of the agent's protocol. Defaults become missing members, so that the spec says what the
 * sender's said.
 * @throws KataError InvalidArgument when a process has no cwd, or a namespace's type is unknown
 */
export function grpcToSpec(message: grpc.Spec): oci.Spec {
  return {
    ociVersion: message.Version,
    ...given({
      process: message.Process && grpcToProcess(message.Process),
      root: message.Root && { path: message.Root.Path, ...given({ readonly: message.Root.Readonly }) },
      hostname: message.Hostname,
      domainname: message.Domainname,
      mounts: message.Mounts.map(grpcToMount),
      hooks: message.Hooks && grpcToHooks(message.Hooks),
      annotations: message.Annotations.size > 0 ? Object.fromEntries(message.Annotations) : undefined,
      linux: message.Linux && grpcToLinux(message.Linux),
    }),
  };
}

function grpcToMount({ destination, ...rest }: grpc.Mount): oci.Mount {
  return { destination, ...given({ type: rest.type, source: rest.source, options: rest.options }) };
}

/** An OCI process as the agent's protocol carries it: of a spec, or for ExecProcess. */
export function processToGrpc(process: oci.Process): Init<grpc.Process> {
  const { user, capabilities, consoleSize } = process;
  return {
    Terminal: process.terminal,
    ConsoleSize: consoleSize && { Height: consoleSize.height, Width: consoleSize.width },
    User: {
      UID: user?.uid,
      GID: user?.gid,
      AdditionalGids: user?.additionalGids,
      Username: user?.username,
      Umask: user?.umask,
    },
    Args: process.args,
    Env: process.env,
    Cwd: process.cwd,
    Capabilities: capabilities && {
      Bounding: capabilities.bounding,
      Effective: capabilities.effective,
      Inheritable: capabilities.inheritable,
      Permitted: capabilities.permitted,
      Ambient: capabilities.ambient,
    },
    Rlimits: process.rlimits?.map((limit) => ({
      Type: limit.type,
      Hard: limit.hard < 0 ? RLIM_INFINITY : BigInt(limit.hard),
      Soft: limit.soft < 0 ? RLIM_INFINITY : BigInt(limit.soft),
    })),
    NoNewPrivileges: process.noNewPrivileges,
    ApparmorProfile: process.apparmorProfile,
    OOMScoreAdj: process.oomScoreAdj,
    SelinuxLabel: process.selinuxLabel,
  };
}

/** @throws KataError InvalidArgument when the process has no cwd */
export function grpcToProcess(message: grpc.Process): oci.Process {
  if (message.Cwd === "") {
    throw new KataError("InvalidArgument", "process without a cwd");
  }
  const { User: user, Capabilities: capabilities } = message;
  return {
    cwd: message.Cwd,
    user: {
      uid: user?.UID ?? 0,
      gid: user?.GID ?? 0,
      ...given({ additionalGids: user?.AdditionalGids, username: user?.Username }),
      ...(user?.Umask === undefined ? {} : { umask: user.Umask }),
    },
    ...given({
      terminal: message.Terminal,
      consoleSize: message.ConsoleSize && {
        height: message.ConsoleSize.Height,
        width: message.ConsoleSize.Width,
      },
      args: message.Args,
      env: message.Env,
      // Not `given`: an empty set is a container without capabilities, none at all leaves them as they are.
      capabilities: capabilities && {
        bounding: capabilities.Bounding,
        effective: capabilities.Effective,
        inheritable: capabilities.Inheritable,
        permitted: capabilities.Permitted,
        ambient: capabilities.Ambient,
      },
      rlimits: message.Rlimits.map((limit) => ({
        type: limit.Type,
        hard: numberOrNone(limit.Hard),
        soft: numberOrNone(limit.Soft),
      })),
      noNewPrivileges: message.NoNewPrivileges,
      apparmorProfile: message.ApparmorProfile,
      oomScoreAdj: message.OOMScoreAdj,
      selinuxLabel: message.SelinuxLabel,
    }),
  };
}

function hookToGrpc(hook: oci.Hook): Init<grpc.Hook> {
  return { Path: hook.path, Args: hook.args, Env: hook.env, Timeout: hook.timeout };
}

function grpcToHooks(message: grpc.Hooks): oci.Hooks {
  return given({
    prestart: message.Prestart.map(grpcToHook),
    createRuntime: message.CreateRuntime.map(grpcToHook),
    createContainer: message.CreateContainer.map(grpcToHook),
    startContainer: message.StartContainer.map(grpcToHook),
    poststart: message.Poststart.map(grpcToHook),
    poststop: message.Poststop.map(grpcToHook),
  });
}

function grpcToHook(hook: grpc.Hook): oci.Hook {
  return { path: hook.Path, ...given({ args: hook.Args, env: hook.Env, timeout: hook.Timeout }) };
}
