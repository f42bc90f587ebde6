import type { KataConfig } from "@kata-containers/config";
import { Fd, KataError, Logger, ops, SIG, sleep } from "@kata-containers/sys";
import {
  checkKept,
  createFileStore,
  createSandbox,
  identityOf,
  joinCgroup,
  leaveCgroup,
  loadSavedConfig,
  Phases,
  type Sandbox,
  type SandboxRecord,
  type Store,
  stateDir,
  undoFromRecord,
  withCgroups,
  withResource,
} from "@kata-containers/virtcontainers";
import type { DaemonArguments } from "./arguments.ts";
import { ControlService } from "./control-service.ts";
import { leaveHostView } from "./host-view.ts";
import { Lifetime } from "./lifetime.ts";
import { LogFile } from "./log-file.ts";
import { type Owner, openOwner } from "./owner.ts";
import { serveDaemon } from "./serve.ts";
import { DaemonService } from "./service.ts";
import { Warnings } from "./warnings.ts";

/** Descriptors that kata-runtime passes (the other one is --netns-fd). */
const READY_FD = 3;
const LISTENER_FD = 5;

/** For the answer that is on its way to whoever deleted the sandbox, ms. */
const LAST_ANSWER_MS = 5;

/**
 * The sandbox's daemon, from its first act to its last. It owns the VM and everything that the sandbox has on the host.
 * Says on READY_FD, as one JSON line, that it serves, or why it cannot. @returns its exit status
 */
export async function runDaemon(args: DaemonArguments): Promise<number> {
  const phases = new Phases();
  using ready = new Fd(READY_FD);
  let store = createFileStore(args.root);
  let started: Started;
  try {
    const owner = args.ownerFd === undefined ? undefined : openOwner(args.ownerFd);
    if (owner !== undefined) store = owner.store;
    started = start(args, store, phases, owner);
    say(ready, { socket: started.record.socket });
  } catch (error) {
    say(ready, { error: KataError.from(error).message });
    await undo(store, args.id).catch(() => {});
    return 1;
  }
  ready.close();
  await live(started, store, args.orphanSeconds);
  return 0;
}

type Started = {
  readonly record: SandboxRecord;
  readonly sandbox: Sandbox;
  readonly service: DaemonService;
  readonly lifetime: Lifetime;
  readonly log: Logger;
  readonly owner: Owner | undefined;
};

function start(args: DaemonArguments, store: Store, phases: Phases, owner: Owner | undefined): Started {
  const record = store.update(args.id, nameOwnResources);
  const config = owner?.config ?? loadSavedConfig(args.config);
  const warnings = new Warnings();
  const log = openLog(args, args.debug || wantsDebug(config), (line) => warnings.add(line));
  const confinement = leaveHostView(config, record, args.netnsFd);
  const sandbox = createSandbox(args.id, { config, confinement, phases, log, store });
  const lifetime = new Lifetime();
  const { vm_start_timeout, stop_timeout } = config.runtime;
  const { dial_timeout, request_timeout } = config.agent;
  const times = {
    shimMs: vm_start_timeout * 1000,
    processMs: (vm_start_timeout + stop_timeout + dial_timeout + request_timeout) * 1000,
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
      await undo(store, args.id, left);
      lifetime.end();
    },
  });
  return { record, sandbox, service, lifetime, log, owner };
}

async function live(started: Started, store: Store, orphanSeconds: number): Promise<void> {
  const { sandbox, service, lifetime, log, owner } = started;
  const server = serveDaemon(LISTENER_FD, service, new ControlService(sandbox), lifetime, log);
  sandbox.vmEnded.then((why) => {
    log.info("VM ended", { why });
    lifetime.vmGone();
  });
  const signals = ops.signalOpen([SIG.SIGTERM, SIG.SIGINT]);
  ops.signalRead(signals).then(
    async (signal) => {
      log.info("stopping on a signal", { signal });
      await sandbox.stop();
      lifetime.end();
    },
    () => {},
  );
  // An owner that dies is as good as one that lets go.
  if (owner === undefined) lifetime.endUnlessCalled(orphanSeconds * 1000);
  else owner.gone.then(() => lifetime.end());
  await lifetime.over;
  await sandbox.stop();
  await sleep(LAST_ANSWER_MS);
  server.close();
  if (owner !== undefined || sandbox.containers().length === 0) await undo(store, sandbox.id).catch(() => {});
}

/** Before anything is made: who we are, and the cgroups that everything will be born in. */
function nameOwnResources(record: SandboxRecord): SandboxRecord {
  checkKept(record);
  const identity = identityOf(ops.getpid());
  if (identity === undefined) throw new KataError("Internal", "cannot read /proc/self/stat");
  return withResource(withCgroups(record), { kind: "process", name: "daemon", identity });
}

/** kata-shim was born in its caller's cgroup, whose end must not be its own. One that cannot be moved stands there as well. */
function admitToCgroup(procs: readonly string[], pid: number, log: Logger): void {
  try {
    joinCgroup(procs, pid);
  } catch (error) {
    log.debug("kata-shim stays in its caller's cgroup", { pid, reason: KataError.from(error).message });
  }
}

/** @returns whether it did; if not, `undo` tries again, and its failure is told */
function leftCgroup(log: Logger): boolean {
  try {
    leaveCgroup();
    return true;
  } catch (error) {
    log.warn("cannot leave the cgroup yet", { reason: KataError.from(error).message });
    return false;
  }
}

/**
 * Removes what the sandbox has on the host and its record; this process is left to itself.
 * @param left whether this process has left its cgroup already: one with a process in it cannot be removed
 */
async function undo(store: Store, id: string, left = false): Promise<void> {
  const record = store.load(id);
  if (!left) leaveCgroup();
  await undoFromRecord(record, ops.getpid());
  store.remove(id);
}

/** The guest's console and the agent's words are in the log at this level only. */
function wantsDebug({ hypervisor, agent, runtime }: KataConfig): boolean {
  return hypervisor.enable_debug || agent.enable_debug || runtime.enable_debug;
}

function openLog(args: DaemonArguments, debug: boolean, onWarning: (line: string) => void): Logger {
  const level = debug ? "debug" : "warning";
  const options = {
    level,
    name: "containerd-shim-kata-v2",
    source: "shim",
    sandbox: args.id,
    onWarning,
  } as const;
  // An owner's standard error, or /dev/null in its place, is where its daemons write.
  if (args.ownerFd !== undefined) return new Logger({ fd: 2, ...options });
  const file = new LogFile(`${stateDir(args.root, args.id)}/daemon.log`);
  return new Logger({ fd: file.fd, onWritten: file.written, ...options });
}

function say(ready: Fd, message: { socket: string } | { error: string }): void {
  try {
    ops.writeSync(ready.number, ops.utf8Encode(`${JSON.stringify(message)}\n`));
  } catch {
    // Nobody listens any more; the orphan's time runs.
  }
}
