import type { KataConfig } from "@kata-containers/config";
import { KataError, type Logger, ops, RpcDurations } from "@kata-containers/sys";
import {
  type Confinement,
  checkKept,
  createSandbox,
  creationSeconds,
  type IdleMachine,
  identityOf,
  joinCgroup,
  leaveCgroup,
  type Phases,
  type Sandbox,
  type SandboxRecord,
  type Store,
  sandboxHash,
  undoFromRecord,
  withCgroups,
  withResource,
} from "@kata-containers/virtcontainers";
import { SandboxMetrics } from "../management/sandbox-metrics.ts";
import { ControlService } from "./control-service.ts";
import { DaemonService } from "./service.ts";
import type { Warnings } from "./warnings.ts";

export interface HostOrder {
  /** Of the sandbox. */
  readonly record: Pick<SandboxRecord, "root" | "id" | "cgroups" | "size">;
  readonly store: Store;
  readonly config: KataConfig;
  /** Of the process, which has left the host's view. */
  readonly confinement: Confinement;
  /** Counts the calls that this process answers. */
  readonly shimRpcs: RpcDurations;
  readonly phases: Phases;
  readonly log: Logger;
  readonly warnings: Warnings;
  /** Called when the last container was deleted, and nothing of the sandbox is left on the host. */
  readonly undone: () => void;
  /** The VM that the sandbox gets, made ahead; undefined: one is started. */
  readonly idle?: IdleMachine | undefined;
}

/** A sandbox, and what answers for it on the daemon's socket. */
export interface HostedSandbox {
  readonly sandbox: Sandbox;
  readonly service: DaemonService;
  readonly control: ControlService;
  readonly metrics: SandboxMetrics;
}

/** Makes this process the sandbox's: boots its VM, and answers for it from then on. */
export function hostSandbox(order: HostOrder): HostedSandbox {
  const { record, store, config, confinement, shimRpcs, phases, log, warnings, undone, idle } = order;
  const { root, id, cgroups, size } = record;
  const hash = sandboxHash(root, id);
  const agentRpcs = idle?.agentRpcs ?? new RpcDurations();
  const sandbox = createSandbox(id, { config, confinement, phases, log, store, hash, size, agentRpcs, idle });
  const times = {
    shimMs: config.runtime.vm_start_timeout * 1000,
    processMs: creationSeconds(config) * 1000,
  };
  let left = false;
  const service = new DaemonService(sandbox, phases, log, warnings, times, {
    admit(pid) {
      admitToCgroup(confinement.cgroupProcs, pid, log);
    },
    leave() {
      left = leftCgroup(log);
    },
    async undo() {
      await undoSandbox(store, id, left);
      undone();
    },
  });
  const metrics = new SandboxMetrics({ sandbox, cgroups, shimRpcs, agentRpcs, log });
  return { sandbox, service, control: new ControlService(sandbox, metrics), metrics };
}

/** Before anything is made: who we are, and the cgroups that everything will be born in. */
export function nameOwnResources(record: SandboxRecord): SandboxRecord {
  checkKept(record);
  const identity = identityOf(ops.getpid());
  if (identity === undefined) throw new KataError("Internal", "cannot read /proc/self/stat");
  return withResource(withCgroups(record), { kind: "process", name: "daemon", identity });
}

/**
 * Removes what the sandbox has on the host and its record; this process is left to itself.
 * @param left whether this process has left its cgroup already: one with a process in it cannot be removed
 */
export async function undoSandbox(store: Store, id: string, left = false): Promise<void> {
  const record = store.load(id);
  if (!left) leaveCgroup();
  await undoFromRecord(record, ops.getpid());
  store.remove(id);
}

/** The guest's console and the agent's words are in the log at this level only. */
export function wantsDebug({ hypervisor, agent, runtime }: KataConfig): boolean {
  return hypervisor.enable_debug || agent.enable_debug || runtime.enable_debug;
}

/** kata-shim was born in its caller's cgroup, whose end must not be its own. One that cannot be moved stands there as well. */
function admitToCgroup(procs: readonly string[], pid: number, log: Logger): void {
  try {
    joinCgroup(procs, pid);
  } catch (error) {
    log.debug("kata-shim stays in its caller's cgroup", { pid, reason: KataError.from(error).message });
  }
}

/** @returns whether it did; if not, `undoSandbox` tries again, and its failure is told */
function leftCgroup(log: Logger): boolean {
  try {
    leaveCgroup();
    return true;
  } catch (error) {
    log.warn("cannot leave the cgroup yet", { reason: KataError.from(error).message });
    return false;
  }
}
