import type { Seccomp } from "@kata-containers/oci";
import { compileSeccomp, type NativeArch } from "@kata-containers/seccomp";
import type { SeccompFacts } from "./host-facts.ts";
import type { SeccompStep } from "./plan.ts";
import { invalid, unsupported } from "./refuse.ts";

/** What the kernel calls the actions of a profile (kernel/seccomp.c, "seccomp_actions_avail"). */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
  SCMP_ACT_KILL: "kill_thread",
  SCMP_ACT_KILL_THREAD: "kill_thread",
  SCMP_ACT_KILL_PROCESS: "kill_process",
  SCMP_ACT_TRAP: "trap",
  SCMP_ACT_ERRNO: "errno",
  SCMP_ACT_TRACE: "trace",
  SCMP_ACT_ALLOW: "allow",
  SCMP_ACT_LOG: "log",
  SCMP_ACT_NOTIFY: "user_notif",
};

/** A profile's filter, for one machine. */
export type CompiledSeccomp = {
  /** `uname -m`. */
  readonly machine: string;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** struct sock_filter each: 8 bytes. */
  readonly program: Uint8Array;
  /** It leaves calls to a listener. */
  readonly notify?: true;
  /** What it may return, in the kernel's words: "kill_process", "errno". */
  readonly actions: readonly string[];
};

/**
 * Compiles a profile; nothing when it says nothing (as runc). The filter's form depends on the machine alone: it can be made
 * on another kernel than the one it is for.
 * @throws KataError InvalidArgument, Unimplemented: what no filter can do.
 */
export function compileFilter(
  profile: Seccomp | undefined,
  machine: string,
  warnings: string[],
): CompiledSeccomp | undefined {
  if (profile === undefined || isEmpty(profile)) return undefined;
  const native = nativeArch(machine);
  const { program, flags, notify, unsupportedArchitectures } = compileSeccomp(profile, native);
  if (unsupportedArchitectures.length > 0) {
    warnings.push(
      `linux.seccomp.architectures: calls of ${unsupportedArchitectures.join(", ")} kill their thread: their tables are not built in`,
    );
  }
  const used = new Set(actions(profile).map(([, action]) => KERNEL_NAMES[action] ?? action));
  return { machine, flags, program, actions: [...used], ...(notify ? { notify } : {}) };
}

/**
 * The step that installs a profile's filter; none when the profile says nothing. The same for every process of the
 * container.
 *
 * @param made the profile's filter, if it was compiled before: then the profile is not looked at
 * @throws KataError InvalidArgument, Unimplemented: what no filter of this kernel can do.
 */
export function seccompStep(
  profile: Seccomp | undefined,
  facts: SeccompFacts | undefined,
  warnings: string[],
  made?: CompiledSeccomp,
): SeccompStep | undefined {
  if (made === undefined && (profile === undefined || isEmpty(profile))) return undefined;
  if (facts === undefined)
    invalid("linux.seccomp", "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)");
  if (made !== undefined) checkMade(made, facts);
  else if (profile !== undefined) checkActions(profile, facts);
  const filter = made ?? compileFilter(profile, facts.machine, warnings);
  return (
    filter && {
      op: "seccomp",
      flags: filter.flags,
      program: words(filter.program),
      ...(filter.notify === true ? { listener: true } : {}),
    }
  );
}

function isEmpty({ defaultAction, syscalls = [] }: Seccomp): boolean {
  return defaultAction === "" && syscalls.length === 0;
}

function nativeArch(machine: string): NativeArch {
  if (machine === "x86_64" || machine === "aarch64") return machine;
  unsupported("linux.seccomp", `a seccomp profile on ${machine}`);
}

/** Flags need no look at the kernel: those that do not need a listener are older than what kata-launch needs (5.12). */
function checkActions(profile: Seccomp, facts: SeccompFacts): void {
  for (const [where, action] of actions(profile)) {
    const name = KERNEL_NAMES[action];
    if (name !== undefined && !facts.actions.includes(name)) invalid(where, `this kernel has no ${action}`);
  }
}

function checkMade({ machine, actions }: CompiledSeccomp, facts: SeccompFacts): void {
  if (machine !== facts.machine)
    invalid("linux.seccomp", `compiled for ${machine}, and this is ${facts.machine}`);
  const missing = actions.find((action) => !facts.actions.includes(action));
  if (missing !== undefined) invalid("linux.seccomp", `this kernel has no action ${missing}`);
}

/** A profile's actions, each with its JSON path. */
function actions({ defaultAction, syscalls = [] }: Seccomp): (readonly [string, string])[] {
  return [
    ["linux.seccomp.defaultAction", defaultAction],
    ...syscalls.map(({ action }, at) => [`linux.seccomp.syscalls[${at}].action`, action] as const),
  ];
}

function words(program: Uint8Array): readonly number[] {
  // A copy: what came in a message may lie at an odd address.
  return Array.from(new Uint32Array(program.slice().buffer));
}
