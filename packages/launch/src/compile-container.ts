import type { Process, Spec } from "@kata-containers/oci";
import { MOUNT_ATTR, MS } from "@kata-containers/sys";
import { grantable } from "./capabilities.ts";
import { type CgroupPlace, cgroupPlaces } from "./cgroup/cgroup-places.ts";
import { cgroupSteps } from "./cgroup/cgroup-steps.ts";
import { limitWarnings } from "./cgroup/settings.ts";
import { coverSteps } from "./cover-paths.ts";
import { deviceSteps } from "./devices.ts";
import { entry } from "./entry.ts";
import { createHookSteps, innerHookSteps } from "./hook-steps.ts";
import { type HostFacts, hasSetgroups } from "./host-facts.ts";
import { labelSteps } from "./labels.ts";
import { PROPAGATION } from "./mount-options.ts";
import { ROOT } from "./mount-target.ts";
import { type MountSteps, mountSteps } from "./mounts.ts";
import { type NamespacePlan, planNamespaces } from "./namespaces.ts";
import type { FdRef, LaunchPlan, SeccompStep, Step } from "./plan.ts";
import { earlySteps, processSteps, terminalSteps } from "./process-steps.ts";
import { invalid, unsupported } from "./refuse.ts";
import { personalitySteps } from "./scheduling.ts";
import { type CompiledSeccomp, seccompStep } from "./seccomp.ts";
import { sysctlSteps } from "./sysctl.ts";

export type ContainerOptions = {
  readonly id: string;
  /** Absolute path of the bundle: relative paths of the spec start there. */
  readonly bundle: string;
  /** The inherited descriptor whose first byte starts the process (an exec FIFO opened for reading and writing, a pipe). */
  readonly startFd?: FdRef;
  /** With `startFd`, inherited: what fails after the start byte is written there; it is closed when the program runs. */
  readonly startedFd?: FdRef;
  /**
   * The cgroup of a systemd scope, from the root of each hierarchy, in place of linux.cgroupsPath. The spawner makes the scope when
   * it is asked for {@link ASK_SCOPE}, with the process that asks in it.
   */
  readonly scopePath?: string;
  /** The environment of hooks without one of their own; default: none. */
  readonly hookEnv?: readonly string[];
  /** The process keeps our session keyring, instead of getting a new one. */
  readonly keepsKeyring?: boolean;
  /** Cgroups that may not be made are done without, if there are no limits to set. */
  readonly rootless?: boolean;
  /** The filter of `linux.seccomp`, if it was compiled before. */
  readonly seccomp?: CompiledSeccomp;
  /** Inherited descriptors, higher than 2 + their count, that become the process's 3, 4, … */
  readonly pass?: readonly number[];
};

export type Compiled = {
  readonly plan: LaunchPlan;
  /** The container's cgroups, made by the plan; whoever launches it removes them in the end. */
  readonly cgroups: readonly CgroupPlace[];
  /**
   * Where the container's root is mounted, with its mounts below it, in the launcher's own mount namespace, for the container has
   * none: whoever launches it unmounts it in the end.
   */
  readonly hostMount?: string;
  /** The container's filter, for what is executed in it later. */
  readonly seccomp?: SeccompStep;
  /** One line each: what the facts allowed us to leave out. */
  readonly warnings: readonly string[];
};

/** What the stage asks the spawner for: a systemd scope with the process that asks in it. */
export const ASK_SCOPE = "scope";

const ENOSYS = 38;

/**
 * Compiles a container into the plan of its first process. Pure.
 *
 * @throws KataError InvalidArgument, Unimplemented: what the spec asks for and cannot be had, by JSON path.
 */
export function compileContainer(spec: Spec, facts: HostFacts, options: ContainerOptions): Compiled {
  const process = spec.process ?? invalid("process", "is required");
  const root = spec.root ?? invalid("root", "is required");
  const warnings: string[] = [];
  checkSpec(spec, facts, warnings);
  warnings.push(...limitWarnings(spec.linux?.resources ?? {}));
  const seccomp = seccompStep(spec.linux?.seccomp, facts.seccomp, warnings, options.seccomp);
  const namespaces = planNamespaces(spec, facts.isUser);
  const cgroups = cgroupPlaces(facts.cgroup, options.scopePath ?? spec.linux?.cgroupsPath, options.id);
  const rootPath = root.path.startsWith("/") ? root.path : `${options.bundle}/${root.path}`;
  const asked = spec.linux?.mountLabel;
  const label = asked && facts.selinux ? asked : undefined;
  const mounts = mountSteps(spec, {
    bundle: options.bundle,
    cgroups,
    namespaces,
    rootless: options.rootless === true,
    isUser: facts.isUser === true,
    ...(label ? { label } : {}),
    warnings,
  });
  const init = [
    { op: "setsid" } as const,
    ...namespaceSteps(spec, options, namespaces),
    ...rootSteps(spec, rootPath, namespaces),
    ...contentSteps(spec, process, mounts, namespaces, facts),
    ...createHookSteps(spec, options),
    ...labelSteps(process, facts),
    ...enterSteps(spec, facts, namespaces),
    ...processSteps(process, {
      grantable: grantable(facts, namespaces.inUserNamespace),
      warnings,
      pass: options.pass ?? [],
      hasSetgroups: hasSetgroups(facts),
      ...(options.startFd === undefined ? {} : { startFd: options.startFd }),
      ...(options.startedFd === undefined ? {} : { startedFd: options.startedFd }),
      startHooks: innerHookSteps("startContainer", spec, options),
      personality: personalitySteps(spec),
      ...(seccomp === undefined ? {} : { seccomp }),
    }),
  ];
  const stage = [
    ...earlySteps(process, namespaces.inUserNamespace),
    ...mounts.early,
    ...(options.scopePath === undefined ? [] : [{ op: "ask", what: ASK_SCOPE } as const]),
    ...cgroupSteps(cgroups, spec.linux?.resources ?? {}, options.rootless === true),
    ...namespaces.join,
    ...mounts.joined,
    ...namespaces.stage,
  ];
  return {
    plan: { sealed: true, parent: namespaces.parent, stage, init },
    cgroups,
    warnings,
    ...(namespaces.has("mount") ? {} : { hostMount: rootPath }),
    ...(seccomp === undefined ? {} : { seccomp }),
  };
}

function checkSpec(spec: Spec, facts: HostFacts, warnings: string[]): void {
  // As runc: where nothing has a label, there is none to set.
  if (spec.linux?.mountLabel && !facts.selinux)
    warnings.push("linux.mountLabel: without effect, this kernel has no SELinux");
  if (spec.linux?.intelRdt !== undefined) unsupported("linux.intelRdt", "Intel RDT");
}

/** What belongs to the new namespaces themselves. */
function namespaceSteps(
  spec: Spec,
  { id, keepsKeyring }: ContainerOptions,
  namespaces: NamespacePlan,
): Step[] {
  for (const key of ["hostname", "domainname"] as const) {
    if (spec[key] && !namespaces.has("uts")) invalid(key, "cannot be set without a private UTS namespace");
  }
  return [
    // ENOSYS: a kernel without keys (as runc).
    ...(keepsKeyring ? [] : [{ op: "session_keyring", name: `_ses.${id}`, ignore: [ENOSYS] } as const]),
    ...(namespaces.isNew("network") ? [{ op: "loopback_up" } as const] : []),
    ...(spec.hostname ? [{ op: "hostname", name: spec.hostname } as const] : []),
    ...(spec.domainname ? [{ op: "domainname", name: spec.domainname } as const] : []),
    ...sysctlSteps(spec, namespaces),
  ];
}

/** The root becomes a mount of its own, open as ROOT; what happens in this mount namespace does not reach the host's. */
function rootSteps(spec: Spec, path: string, namespaces: NamespacePlan): Step[] {
  const asked = rootPropagation(spec);
  const bind: Step = {
    op: "bind",
    source: path,
    recursive: true,
    set: 0,
    clear: 0,
    setRecursive: 0,
    target: path,
    as: ROOT,
  };
  if (!namespaces.has("mount")) {
    if (/^[/.]+$/.test(path)) invalid("root.path", "is the host's, and there is no mount namespace");
    // Nothing of the host's changes but this one mount, which holds all of ours and shares them with nobody.
    return [{ ...bind, propagation: MS.PRIVATE | MS.REC }];
  }
  return (asked & MS.SHARED) !== 0
    ? [{ op: "propagation", path: "/", flags: MS.SHARED | MS.REC }, { op: "private_parent", path }, bind]
    : [{ op: "propagation", path: "/", flags: MS.SLAVE | MS.REC }, bind];
}

function rootPropagation(spec: Spec): number {
  const asked = spec.linux?.rootfsPropagation;
  if (asked === undefined || asked === "") return 0;
  return (
    entry(PROPAGATION, asked) ??
    invalid("linux.rootfsPropagation", `unknown propagation ${JSON.stringify(asked)}`)
  );
}

/** Everything below the root, while the machine's own files can still be reached. */
function contentSteps(
  spec: Spec,
  process: Process,
  mounts: MountSteps,
  namespaces: NamespacePlan,
  facts: HostFacts,
): Step[] {
  return [
    ...mounts.now,
    ...deviceSteps(spec, namespaces.inUserNamespace || facts.inUserNamespace === true, facts.kcore === true),
    { op: "mkdir", path: process.cwd, mode: 0o755, root: ROOT },
    ...terminalSteps(process, ROOT, true),
    ...mounts.late,
    ...coverSteps(spec),
  ];
}

/** The container's root becomes the process's. */
function enterSteps(spec: Spec, facts: HostFacts, namespaces: NamespacePlan): Step[] {
  const propagation = rootPropagation(spec);
  const pivot = facts.rootIsInitramfs ? "move_root" : "pivot_root";
  return [
    { op: namespaces.has("mount") ? pivot : "chroot", root: ROOT },
    ...(propagation === 0 ? [] : [{ op: "propagation", path: "/", flags: propagation } as const]),
    ...(spec.root?.readonly === true
      ? [{ op: "remount", path: "/", set: MOUNT_ATTR.RDONLY, clear: 0 } as const]
      : []),
  ];
}
