import {
  ASK_SCOPE,
  createHookSeconds,
  type HookedContainer,
  LAUNCH_TIMEOUT_MS,
  type Launched,
  type LaunchPlan,
  launch,
  runCreateHooks,
  sealedProgram,
  secondsOf,
} from "@kata-containers/launch";
import type { Hooks, Spec } from "@kata-containers/oci";
import { Fd, O, ops, S, SIG, type SpawnFd, type Undo } from "@kata-containers/sys";
import type { RecordDirectory } from "./record.ts";
import { passListener } from "./seccomp-listener.ts";
import { type ContainerScope, startContainerScope } from "./systemd-scope.ts";

/** Descriptors of the process, besides 0 to 2, that the plan is compiled for. */
export const START_FD = 5;
export const STARTED_FD = 6;

export type LaunchOrder = {
  readonly directory: RecordDirectory;
  /** It waits on the exec FIFO. */
  readonly waits: boolean;
  /** `start` will wait until its program runs. */
  readonly watched: boolean;
  readonly container: HookedContainer;
  readonly launchPath: string;
  /** Further descriptors, that the plan passes on. */
  readonly passed: readonly SpawnFd[];
  /** To be made, with the process in it. */
  readonly scope?: ContainerScope;
  /** Takes the process along when what follows fails. */
  readonly undo: Undo;
};

/** Starts a container's first process, running the host's hooks of create when it asks for them. */
export async function launchProcess(plan: LaunchPlan, spec: Spec, order: LaunchOrder): Promise<Launched> {
  const { directory, container, waits, watched, scope } = order;
  const stdio = spec.process?.terminal === true ? [] : [0, 1, 2].map((fd) => ({ from: fd, to: fd }));
  using start = waits ? makeFifo(directory.fifo) : undefined;
  using started = watched ? makeFifo(directory.startedFifo) : undefined;
  const never = new AbortController().signal;
  const process = await launch(plan, {
    launchPath: sealedProgram(order.launchPath),
    fds: [...stdio, ...given(start, START_FD), ...given(started, STARTED_FD), ...order.passed],
    until: waits ? "ready" : "exec",
    timeoutMs: LAUNCH_TIMEOUT_MS + 1000 * hookSeconds(spec.hooks, waits),
    ...passListener(spec, (pid) => ({ ...container, status: "creating", pid })),
    answer: (what, pid) =>
      what === ASK_SCOPE && scope !== undefined
        ? startContainerScope(scope, container.id, pid, spec)
        : runCreateHooks(spec.hooks, container, pid, never),
  });
  order.undo.defer(() => killLaunched(process));
  return process;
}

/** Ends a process of ours that nobody will know of, and waits for its end. */
export async function killLaunched({ pidfd }: Launched): Promise<void> {
  ops.pidfdSendSignal(pidfd.number, SIG.SIGKILL);
  await ops.waitPidfd(pidfd.number);
}

/** How long the hooks that run before the launch is over may take all together. */
function hookSeconds(hooks: Hooks | undefined, waits: boolean): number {
  const inner = secondsOf(hooks?.createContainer) + (waits ? 0 : secondsOf(hooks?.startContainer));
  return createHookSeconds(hooks) + inner;
}

function given(fd: Fd | undefined, to: number): SpawnFd[] {
  return fd === undefined ? [] : [{ from: fd.number, to }];
}

/** Opened for both directions: opening does not wait, and the other side finds us for as long as we keep it. */
function makeFifo(path: string): Fd {
  ops.mknod(path, S.IFIFO | 0o600, 0, 0);
  return new Fd(ops.open(path, O.RDWR | O.CLOEXEC, 0));
}
