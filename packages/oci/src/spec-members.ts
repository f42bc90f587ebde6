import {
  bool,
  type Check,
  id,
  int,
  list,
  mapOf,
  object,
  oneOf,
  optional,
  seconds,
  text,
  textThat,
  uint32,
  uint64,
} from "./check.ts";
import {
  type BlockIo,
  type Capabilities,
  type CpuLimits,
  type Device,
  type DeviceRule,
  type Hook,
  type Hooks,
  type IntelRdt,
  type Linux,
  type MemoryLimits,
  type Mount,
  NAMESPACE_TYPES,
  type Namespace,
  type NetworkLimits,
  type Process,
  type Resources,
  type Root,
  type Scheduler,
  type Seccomp,
  type SeccompArg,
  type SeccompSyscall,
  type Spec,
  type User,
  type WeightDevice,
} from "./spec.ts";

/** The shape of config.json as tables; what the shape alone cannot say is in spec-rules.ts. */

const texts = list(text);
const absolutePath = textThat("an absolute path", (value) => value.startsWith("/"));
const mapping = object({ containerID: uint32, hostID: uint32, size: uint32 });
const mappings = optional(list(mapping));

const optionalUint32 = optional(uint32);
const optionalId = optional(id);
const optionalInt = optional(int);
const optionalText = optional(text);
const optionalTexts = optional(texts);
const optionalBool = optional(bool);

export const processMembers: Check<Process> = object<Process>({
  terminal: optionalBool,
  consoleSize: optional(object({ height: uint32, width: uint32 })),
  user: optional(
    object<User>({
      uid: optionalId,
      gid: optionalId,
      umask: optionalUint32,
      additionalGids: optional(list(id)),
      username: optionalText,
    }),
  ),
  args: optionalTexts,
  env: optionalTexts,
  cwd: absolutePath,
  capabilities: optional(
    object<Capabilities>({
      bounding: optionalTexts,
      effective: optionalTexts,
      inheritable: optionalTexts,
      permitted: optionalTexts,
      ambient: optionalTexts,
    }),
  ),
  rlimits: optional(list(object({ type: text, hard: int, soft: int }))),
  noNewPrivileges: optionalBool,
  apparmorProfile: optionalText,
  oomScoreAdj: optionalInt,
  scheduler: optional(
    object<Scheduler>({
      policy: text,
      nice: optionalInt,
      priority: optionalInt,
      flags: optionalTexts,
      runtime: optionalInt,
      deadline: optionalInt,
      period: optionalInt,
    }),
  ),
  selinuxLabel: optionalText,
  ioPriority: optional(object({ class: text, priority: int })),
  execCPUAffinity: optional(
    object<NonNullable<Process["execCPUAffinity"]>>({ initial: optionalText, final: optionalText }),
  ),
});

const hooks = optional(
  list(
    object<Hook>({
      path: absolutePath,
      args: optionalTexts,
      env: optionalTexts,
      timeout: optional(seconds),
    }),
  ),
);

const weights = optional(
  list(
    object<WeightDevice>({
      major: int,
      minor: int,
      weight: optionalInt,
      leafWeight: optionalInt,
    }),
  ),
);
const throttles = optional(list(object({ major: int, minor: int, rate: int })));

export const resourcesMembers: Check<Resources> = object<Resources>({
  devices: optional(
    list(
      object<DeviceRule>({
        allow: bool,
        type: optionalText,
        major: optionalInt,
        minor: optionalInt,
        access: optionalText,
      }),
    ),
  ),
  memory: optional(
    object<MemoryLimits>({
      limit: optionalInt,
      reservation: optionalInt,
      swap: optionalInt,
      kernel: optionalInt,
      kernelTCP: optionalInt,
      swappiness: optionalInt,
      disableOOMKiller: optionalBool,
      useHierarchy: optionalBool,
      checkBeforeUpdate: optionalBool,
    }),
  ),
  cpu: optional(
    object<CpuLimits>({
      shares: optionalInt,
      quota: optionalInt,
      burst: optionalInt,
      period: optionalInt,
      realtimeRuntime: optionalInt,
      realtimePeriod: optionalInt,
      cpus: optionalText,
      mems: optionalText,
      idle: optionalInt,
    }),
  ),
  pids: optional(object({ limit: int })),
  blockIO: optional(
    object<BlockIo>({
      weight: optionalInt,
      leafWeight: optionalInt,
      weightDevice: weights,
      throttleReadBpsDevice: throttles,
      throttleWriteBpsDevice: throttles,
      throttleReadIOPSDevice: throttles,
      throttleWriteIOPSDevice: throttles,
    }),
  ),
  hugepageLimits: optional(list(object({ pageSize: text, limit: int }))),
  network: optional(
    object<NetworkLimits>({
      classID: optionalUint32,
      priorities: optional(list(object({ name: text, priority: uint32 }))),
    }),
  ),
  rdma: optional(
    mapOf(
      object<NonNullable<Resources["rdma"]>[string]>({
        hcaHandles: optionalUint32,
        hcaObjects: optionalUint32,
      }),
    ),
  ),
  unified: optional(mapOf(text)),
});

const seccomp = object<Seccomp>({
  defaultAction: text,
  defaultErrnoRet: optionalUint32,
  architectures: optionalTexts,
  flags: optionalTexts,
  listenerPath: optionalText,
  listenerMetadata: optionalText,
  syscalls: optional(
    list(
      object<SeccompSyscall>({
        names: texts,
        action: text,
        errnoRet: optionalUint32,
        args: optional(
          list(
            object<SeccompArg>({
              index: uint32,
              value: uint64,
              valueTwo: optional(uint64),
              op: text,
            }),
          ),
        ),
      }),
    ),
  ),
});

const linux = object<Linux>({
  uidMappings: mappings,
  gidMappings: mappings,
  sysctl: optional(mapOf(text)),
  resources: optional(resourcesMembers),
  cgroupsPath: optionalText,
  namespaces: optional(list(object<Namespace>({ type: oneOf(NAMESPACE_TYPES), path: optionalText }))),
  devices: optional(
    list(
      object<Device>({
        path: absolutePath,
        type: oneOf(["c", "u", "b", "p"]),
        major: optionalInt,
        minor: optionalInt,
        fileMode: optionalUint32,
        uid: optionalId,
        gid: optionalId,
      }),
    ),
  ),
  seccomp: optional(seccomp),
  rootfsPropagation: optionalText,
  maskedPaths: optional(list(absolutePath)),
  readonlyPaths: optional(list(absolutePath)),
  mountLabel: optionalText,
  intelRdt: optional(
    object<IntelRdt>({
      closID: optionalText,
      l3CacheSchema: optionalText,
      memBwSchema: optionalText,
      enableCMT: optionalBool,
      enableMBM: optionalBool,
    }),
  ),
  personality: optional(object<NonNullable<Linux["personality"]>>({ domain: text, flags: optionalTexts })),
  timeOffsets: optional(
    mapOf(object<NonNullable<Linux["timeOffsets"]>[string]>({ secs: optionalInt, nanosecs: optionalUint32 })),
  ),
});

export const specMembers: Check<Spec> = object<Spec>({
  ociVersion: textThat("a semantic version that starts with 1.", (value) => /^1\.\d+\.\d+/.test(value)),
  process: optional(processMembers),
  root: optional(
    object<Root>({
      path: textThat("a non-empty string", (value) => value !== ""),
      readonly: optionalBool,
    }),
  ),
  hostname: optionalText,
  domainname: optionalText,
  mounts: optional(
    list(
      object<Mount>({
        destination: textThat("a non-empty path", (value) => value !== ""),
        type: optionalText,
        source: optionalText,
        options: optionalTexts,
        uidMappings: mappings,
        gidMappings: mappings,
      }),
    ),
  ),
  hooks: optional(
    object<Hooks>({
      prestart: hooks,
      createRuntime: hooks,
      createContainer: hooks,
      startContainer: hooks,
      poststart: hooks,
      poststop: hooks,
    }),
  ),
  annotations: optional(mapOf(text)),
  linux: optional(linux),
});
