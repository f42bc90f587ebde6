/**
 * `linux.seccomp` of an OCI config.json (runtime-spec 1.2, config-linux.md#seccomp), as parsed JSON: the names of actions,
 * operators, architectures and flags are checked by compileSeccomp. The Seccomp type of @kata-containers/oci is one of these.
 */
export type LinuxSeccomp = {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly LinuxSyscall[];
};

export type LinuxSyscall = {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly LinuxSeccompArg[];
};

export type LinuxSeccompArg = {
  readonly index: number;
  /** Unsigned, 64 bits: a bigint past 2^53 - 1. */
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: string;
};
