import type * as oci from "@kata-containers/oci";
import { NAMESPACE_TYPES, type NamespaceType } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import type { Init } from "./codec.ts";
import type * as grpc from "./gen/oci.gen.ts";
import { grpcToResources, resourcesToGrpc } from "./oci-resources.ts";
import { given } from "./oci-values.ts";

/** The `linux` member of a spec, as the agent's protocol carries it. */
export function linuxToGrpc(linux: oci.Linux): Init<grpc.Linux> {
  return {
    UIDMappings: linux.uidMappings?.map(mappingToGrpc),
    GIDMappings: linux.gidMappings?.map(mappingToGrpc),
    Sysctl: new Map(Object.entries(linux.sysctl ?? {})),
    Resources: linux.resources && resourcesToGrpc(linux.resources),
    CgroupsPath: linux.cgroupsPath,
    Namespaces: linux.namespaces?.map(({ type, path }) => ({ Type: type, Path: path })),
    Devices: linux.devices?.map((device) => ({
      Path: device.path,
      Type: device.type,
      Major: device.major,
      Minor: device.minor,
      FileMode: device.fileMode,
      UID: device.uid,
      GID: device.gid,
    })),
    Seccomp: linux.seccomp && seccompToGrpc(linux.seccomp),
    RootfsPropagation: linux.rootfsPropagation,
    MaskedPaths: linux.maskedPaths,
    ReadonlyPaths: linux.readonlyPaths,
    MountLabel: linux.mountLabel,
    IntelRdt: linux.intelRdt && { L3CacheSchema: linux.intelRdt.l3CacheSchema },
  };
}

/** @throws KataError InvalidArgument when a namespace's type is unknown */
export function grpcToLinux(message: grpc.Linux): oci.Linux {
  return given({
    uidMappings: message.UIDMappings.map(grpcToMapping),
    gidMappings: message.GIDMappings.map(grpcToMapping),
    sysctl: message.Sysctl.size > 0 ? Object.fromEntries(message.Sysctl) : undefined,
    resources: message.Resources && grpcToResources(message.Resources),
    cgroupsPath: message.CgroupsPath,
    namespaces: message.Namespaces.map(grpcToNamespace),
    devices: message.Devices.map(grpcToDevice),
    seccomp: message.Seccomp && grpcToSeccomp(message.Seccomp),
    rootfsPropagation: message.RootfsPropagation,
    maskedPaths: message.MaskedPaths,
    readonlyPaths: message.ReadonlyPaths,
    mountLabel: message.MountLabel,
    intelRdt: message.IntelRdt && given({ l3CacheSchema: message.IntelRdt.L3CacheSchema }),
  });
}

function mappingToGrpc(mapping: oci.IdMapping): Init<grpc.LinuxIDMapping> {
  return { HostID: mapping.hostID, ContainerID: mapping.containerID, Size: mapping.size };
}

function grpcToMapping(message: grpc.LinuxIDMapping): oci.IdMapping {
  return { containerID: message.ContainerID, hostID: message.HostID, size: message.Size };
}

function grpcToNamespace(message: grpc.LinuxNamespace): oci.Namespace {
  return { type: namespaceType(message.Type), ...given({ path: message.Path }) };
}

function namespaceType(name: string): NamespaceType {
  const type = NAMESPACE_TYPES.find((one) => one === name);
  if (!type) {
    throw new KataError(
      "InvalidArgument",
      `namespace of type "${name}": not one of ${NAMESPACE_TYPES.join(", ")}`,
    );
  }
  return type;
}

function grpcToDevice(message: grpc.LinuxDevice): oci.Device {
  // A minor number of 0 says something; a FIFO has no numbers.
  const numbers = message.Type === "p" ? {} : { major: message.Major, minor: message.Minor };
  return {
    path: message.Path,
    type: message.Type,
    ...numbers,
    ...given({ fileMode: message.FileMode, uid: message.UID, gid: message.GID }),
  };
}

function seccompToGrpc(seccomp: oci.Seccomp): Init<grpc.LinuxSeccomp> {
  return {
    DefaultAction: seccomp.defaultAction,
    DefaultErrnoRet: seccomp.defaultErrnoRet,
    Architectures: seccomp.architectures,
    Flags: seccomp.flags,
    Syscalls: seccomp.syscalls?.map((syscall) => ({
      Names: syscall.names,
      Action: syscall.action,
      errnoret: syscall.errnoRet,
      Args: syscall.args?.map((arg) => ({
        Index: arg.index,
        Value: BigInt(arg.value),
        ValueTwo: BigInt(arg.valueTwo ?? 0),
        Op: arg.op,
      })),
    })),
  };
}

function grpcToSeccomp(message: grpc.LinuxSeccomp): oci.Seccomp {
  return {
    defaultAction: message.DefaultAction,
    ...(message.DefaultErrnoRet === undefined ? {} : { defaultErrnoRet: message.DefaultErrnoRet }),
    ...given({
      architectures: message.Architectures,
      flags: message.Flags,
      syscalls: message.Syscalls.map((syscall) => ({
        names: syscall.Names,
        action: syscall.Action,
        ...(syscall.errnoret === undefined ? {} : { errnoRet: syscall.errnoret }),
        ...given({ args: syscall.Args.map(grpcToSeccompArg) }),
      })),
    }),
  };
}

function grpcToSeccompArg(message: grpc.LinuxSeccompArg): oci.SeccompArg {
  return {
    index: message.Index,
    value: exact(message.Value),
    ...given({ valueTwo: exact(message.ValueTwo) }),
    op: message.Op,
  };
}

/** A filter that compares with a rounded value would let the wrong call through. */
function exact(value: bigint): number | bigint {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}
