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
};

/**
 * The step that installs a profile's filter; none when the profile says nothing (as runc). The same for every process of
 * the container.
 *
 * @throws KataError InvalidArgument, Unimplemented: what no filter of this kernel can do.
 */
export function seccompStep(
  profile: Seccomp | undefined,
  facts: SeccompFacts | undefined,
  warnings: string[],
): SeccompStep | undefined {
  if (profile === undefined) return undefined;
  if (profile.defaultAction === "" && (profile.syscalls ?? []).length === 0) return undefined;
  if (facts === undefined)
    invalid("linux.seccomp", "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)");
  const machine = nativeArch(facts.machine);
  checkActions(profile, facts);
  const compiled = compileSeccomp(profile, machine);
  if (compiled.unsupportedArchitectures.length > 0) {
    warnings.push(
      `linux.seccomp.architectures: calls of ${compiled.unsupportedArchitectures.join(", ")} kill their thread: their tables are not built in`,
    );
  }
  return { op: "seccomp", flags: compiled.flags, program: words(compiled.program) };
}

function nativeArch(machine: string): NativeArch {
  if (machine === "x86_64" || machine === "aarch64") return machine;
  unsupported("linux.seccomp", `a seccomp profile on ${machine}`);
}

/** Flags need no look at the kernel: those that do not need a listener are older than what kata-launch needs (5.12). */
function checkActions(profile: Seccomp, facts: SeccompFacts): void {
  const check = (action: string, where: string) => {
    if (action === "SCMP_ACT_NOTIFY")
      unsupported(`linux.seccomp.${where}`, "SCMP_ACT_NOTIFY (a seccomp listener)");
    const name = KERNEL_NAMES[action];
    if (name !== undefined && !facts.actions.includes(name))
      invalid(`linux.seccomp.${where}`, `this kernel has no ${action}`);
  };
  check(profile.defaultAction, "defaultAction");
  for (const [at, { action }] of (profile.syscalls ?? []).entries()) check(action, `syscalls[${at}].action`);
  if (profile.listenerPath) unsupported("linux.seccomp.listenerPath", "a seccomp listener");
}

function words(program: Uint8Array): readonly number[] {
  return Array.from(new Uint32Array(program.buffer, program.byteOffset, program.byteLength / 4));
}
