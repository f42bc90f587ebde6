import type { Process, Spec } from "@kata-containers/oci";
import { O } from "@kata-containers/sys";
import { grantable } from "./capabilities.ts";
import type { CgroupPlace } from "./cgroup/cgroup-places.ts";
import { joinSteps } from "./cgroup/cgroup-steps.ts";
import { type HostFacts, hasSetgroups } from "./host-facts.ts";
import { labelSteps } from "./labels.ts";
import { becomeRoot, NAMESPACE_FLAGS } from "./namespaces.ts";
import type { LaunchPlan, SeccompStep, Step } from "./plan.ts";
import { earlySteps, processSteps, terminalSteps } from "./process-steps.ts";
import { affinitySteps, personalitySteps } from "./scheduling.ts";

export type ExecOptions = {
  /** Inherited descriptor: a pidfd of the container's first process, whose namespaces are entered. */
  readonly containerPidfd: number;
  /** Inherited descriptor of that process's root, for a container without a mount namespace of its own. */
  readonly containerRoot?: number;
  /** As compileContainer returned them. */
  readonly cgroups: readonly CgroupPlace[];
  readonly seccomp?: SeccompStep;
  /** Takes one line each: what the facts allowed us to leave out. */
  readonly warnings?: string[];
  /** Cgroups that may not be entered are done without. */
  readonly rootless?: boolean;
  /** Inherited descriptors, higher than 2 + their count, that become the process's 3, 4, … */
  readonly pass?: readonly number[];
};

/**
 * Compiles one more process of a running container. Pure.
 *
 * @param spec the container's; @param process what is to run in it.
 * @throws KataError InvalidArgument, Unimplemented.
 */
export function compileExec(
  spec: Spec,
  process: Process,
  facts: HostFacts,
  options: ExecOptions,
): LaunchPlan {
  // The container's own is for whatever is executed in it: its first process has none.
  const affine = process.execCPUAffinity === undefined ? (spec.process ?? process) : process;
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  const flags = types.reduce((sum, type) => sum + NAMESPACE_FLAGS[type], 0);
  const stage: Step[] = [
    ...affinitySteps(affine, "initial"),
    ...earlySteps(process, types.includes("user")),
    ...labelSteps(process, facts),
    ...joinSteps(options.cgroups, options.rootless),
    ...affinitySteps(affine, "final"),
    // All at once, by pidfd: no namespace of another process that got the same pid meanwhile (setns(2)).
    ...(flags === 0 ? [] : [{ op: "setns", fd: options.containerPidfd, type: flags } as const]),
    { op: "close", fd: options.containerPidfd },
    ...(types.includes("user") ? [becomeRoot] : []),
    ...(options.containerRoot === undefined ? [] : [{ op: "chroot", root: options.containerRoot } as const]),
  ];
  const init: Step[] = [
    { op: "setsid" },
    { op: "open", path: "/", flags: O.PATH | O.DIRECTORY, as: "root" },
    ...terminalSteps(process, "root", false),
    ...processSteps(process, {
      grantable: grantable(facts, types.includes("user")),
      warnings: options.warnings ?? [],
      pass: options.pass ?? [],
      personality: personalitySteps(spec),
      hasSetgroups: hasSetgroups(facts),
      ...(options.seccomp === undefined ? {} : { seccomp: options.seccomp }),
    }),
  ];
  return { sealed: true, parent: [], stage, init };
}
