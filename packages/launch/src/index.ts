export { CAPABILITIES } from "./capabilities.ts";
export { costWeight } from "./cgroup/block-io-settings.ts";
export { pidsOf, removeCgroup } from "./cgroup/cgroup.ts";
export type { CgroupPlace } from "./cgroup/cgroup-places.ts";
export { checkCgroupsEmpty } from "./cgroup/check-empty.ts";
export { entryPlaces } from "./cgroup/entry-places.ts";
export { freeze, isFrozen, thaw } from "./cgroup/freezer.ts";
export { type LimitFile, limitFiles } from "./cgroup/limit-files.ts";
export { type MoreStats, readMoreStats } from "./cgroup/more-stats.ts";
export { watchOom } from "./cgroup/oom-watch.ts";
export { limitWarnings, weightOfShares } from "./cgroup/settings.ts";
export { signalAll, thawIfPossible } from "./cgroup/signal-all.ts";
export { readStats } from "./cgroup/stats.ts";
export { subCgroups } from "./cgroup/sub-cgroups.ts";
export { updateLimits } from "./cgroup/update-limits.ts";
export { ASK_SCOPE, type Compiled, type ContainerOptions, compileContainer } from "./compile-container.ts";
export { compileExec, type ExecOptions } from "./compile-exec.ts";
export { describeStep } from "./describe-step.ts";
export { ASK_HOOKS } from "./hook-steps.ts";
export {
  createHookSeconds,
  type HookedContainer,
  hasCreateHooks,
  hookedContainer,
  runCreateHooks,
  runLaterHooks,
  secondsOf,
} from "./hooks.ts";
export type {
  CgroupFacts,
  CgroupHierarchy,
  HostFacts,
  SeccompFacts,
  UnifiedHierarchy,
} from "./host-facts.ts";
export {
  LAUNCH_TIMEOUT_MS,
  type Launched,
  type LaunchOptions,
  launch,
  ProcessError,
  readReport,
} from "./launch.ts";
export { type MountOptions, mountOptionNames, parseMountOptions } from "./mount-options.ts";
export type { CreateTarget, FdRef, LaunchPlan, SeccompStep, Step, StepList } from "./plan.ts";
export { readHostFacts } from "./read-host-facts.ts";
export { parseCpus } from "./scheduling.ts";
export { sealedProgram } from "./sealed-program.ts";
export { type CompiledSeccomp, compileFilter } from "./seccomp.ts";
export { isInUserNamespace } from "./user-namespace.ts";
