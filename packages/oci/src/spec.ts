/**
 * The OCI runtime specification 1.2, Linux part, as types: the spelling and the shapes of config.json.
 * Source: https://github.com/opencontainers/runtime-spec, specs-go/config.go at v1.2.0. Sizes are bytes and times microseconds
 * unless a comment says otherwise. An absent member means what the specification says it means, so nothing has a default here.
 */

export type Spec = {
  readonly ociVersion: string;
  readonly process?: Process;
  readonly root?: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
};

export type Process = {
  readonly terminal?: boolean;
  readonly consoleSize?: Box;
  readonly user?: User;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly selinuxLabel?: string;
  readonly ioPriority?: IoPriority;
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
};

/** A terminal's size in characters. */
export type Box = { readonly height: number; readonly width: number };

export type User = {
  readonly uid?: number;
  readonly gid?: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
  readonly username?: string;
};

/** Names as in capabilities(7), "CAP_CHOWN". */
export type Capabilities = {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
};

/** `type` as in "RLIMIT_NOFILE". A value of -1, or of 2^64-1 in the file, is RLIM_INFINITY: parseSpec makes it -1. */
export type Rlimit = { readonly type: string; readonly hard: number; readonly soft: number };

export type Scheduler = {
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
};

export type IoPriority = { readonly class: string; readonly priority: number };

export type Root = { readonly path: string; readonly readonly?: boolean };

export type Mount = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
};

export type Hook = {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
};

export type Hooks = {
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
};

export type IdMapping = { readonly containerID: number; readonly hostID: number; readonly size: number };

export const NAMESPACE_TYPES = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];
export type Namespace = { readonly type: NamespaceType; readonly path?: string };

export type Linux = {
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly resources?: Resources;
  readonly cgroupsPath?: string;
  readonly namespaces?: readonly Namespace[];
  readonly devices?: readonly Device[];
  readonly seccomp?: Seccomp;
  /** "", "private", "slave", "shared", "unbindable", or one of them with an "r" in front. */
  readonly rootfsPropagation?: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: IntelRdt;
  readonly personality?: { readonly domain: string; readonly flags?: readonly string[] };
  readonly timeOffsets?: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>;
};

/** `type`: "c" or "u" (character), "b" (block), "p" (FIFO). `fileMode` is the number, permission bits only. */
export type Device = {
  readonly path: string;
  readonly type: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
};

export type Resources = {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryLimits;
  readonly cpu?: CpuLimits;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIo;
  readonly hugepageLimits?: readonly HugepageLimit[];
  readonly network?: NetworkLimits;
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>;
  /** cgroup v2 only: file name to contents. */
  readonly unified?: Readonly<Record<string, string>>;
};

/** A missing major or minor, or -1, stands for every one. `type`: "a" (all), "b", "c". */
export type DeviceRule = {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
};

/** -1 is "no limit". `swap` is memory plus swap, as in cgroup v1. */
export type MemoryLimits = {
  readonly limit?: number;
  readonly reservation?: number;
  readonly swap?: number;
  readonly kernel?: number;
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
};

export type CpuLimits = {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
};

export type WeightDevice = {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
};
export type ThrottleDevice = { readonly major: number; readonly minor: number; readonly rate: number };

export type BlockIo = {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
};

export type HugepageLimit = { readonly pageSize: string; readonly limit: number };

export type NetworkLimits = {
  readonly classID?: number;
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
};

export type IntelRdt = {
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableCMT?: boolean;
  readonly enableMBM?: boolean;
};

/** The names of actions, operators, architectures and flags are checked by compileSeccomp of @kata-containers/seccomp. */
export type Seccomp = {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompSyscall[];
};

export type SeccompSyscall = {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
};

export type SeccompArg = {
  readonly index: number;
  /** Unsigned, 64 bits: a bigint past 2^53 - 1, for a filter must not compare with a rounded value. */
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: string;
};
