import type { CgroupPlace, CompiledSeccomp } from "@kata-containers/launch";
import type { Process, Spec } from "@kata-containers/oci";
import type { LaunchedProcess } from "../process/guest-process.ts";

/** A container whose init process waits for {@link start}. */
export interface CreatedContainer extends LaunchedProcess {
  /** Lets the init process go on to its program. */
  start(): void;
  /** Its control groups. */
  readonly cgroups: readonly CgroupPlace[];
  /** Every pid in the container's control group and those below it. */
  pids(): number[];
  /** Gives its mounts back, as soon as nothing of it is under way at the share; every process of it must have ended. */
  unmount(): Promise<void>;
  /** Removes its control groups; every process of it must have ended. */
  destroy(): void;
}

/** One more process of a container. */
export type ExecOrder = {
  readonly process: Process;
  /** Those below the container's own that it is in, see `subCgroups` of the launch package. */
  readonly cgroups: readonly string[];
  /** Milliseconds until it must run; Infinity: no limit. */
  readonly timeoutMs: number;
};

/** Starts containers' processes: through kata-launch, or in a test by a fake. */
export interface Launcher {
  /**
   * @param seccomp the filter of the spec's profile, if the host has compiled it
   * @param timeoutMs milliseconds until the process must be ready; Infinity: no limit
   * @throws KataError with what failed, on what, why; nothing is left then
   */
  create(
    id: string,
    spec: Spec,
    seccomp: CompiledSeccomp | undefined,
    timeoutMs: number,
  ): Promise<CreatedContainer>;
  /**
   * Starts one more process in a container, whose init process `pidfd` refers to. In a paused container it gets nowhere
   * until the container is resumed.
   */
  exec(id: string, spec: Spec, pidfd: number, order: ExecOrder): Promise<LaunchedProcess>;
}
