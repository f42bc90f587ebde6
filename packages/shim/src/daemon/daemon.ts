import { Fd, KataError, type Logger, ops, RpcDurations, SIG, sleep } from "@kata-containers/sys";
import {
  type Confinement,
  createFileStore,
  type IdleMachine,
  loadSavedConfig,
  Phases,
  type SandboxRecord,
  type Store,
} from "@kata-containers/virtcontainers";
import { serveManagement } from "../management/management.ts";
import { type DaemonArguments, ORPHAN_SECONDS } from "./arguments.ts";
import { leaveHostView } from "./host-view.ts";
import { Lifetime } from "./lifetime.ts";
import { type Owner, openOwner } from "./owner.ts";
import {
  type HostedSandbox,
  hostSandbox,
  nameOwnResources,
  undoSandbox,
  wantsDebug,
} from "./sandbox-host.ts";
import { openSandboxLog } from "./sandbox-log.ts";
import { serveDaemon } from "./serve.ts";
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
    await undoSandbox(store, args.id).catch(() => {});
    return 1;
  }
  ready.close();
  await live(started, store, args.orphanSeconds, LISTENER_FD);
  return 0;
}

type Started = {
  readonly record: SandboxRecord;
  readonly hosted: HostedSandbox;
  readonly shimRpcs: RpcDurations;
  readonly lifetime: Lifetime;
  readonly log: Logger;
  readonly owner: Owner | undefined;
};

/** What an idle daemon is told of the sandbox that it becomes. */
export type AdoptedSandbox = Pick<DaemonArguments, "id" | "root" | "config" | "debug"> & {
  readonly orphanSeconds?: number;
};

export type Adoption = {
  readonly args: AdoptedSandbox;
  readonly idle: IdleMachine;
  /** Moves what there is into the sandbox's cgroups. */
  readonly enter: (record: SandboxRecord) => Confinement;
  /** The daemon's listening socket. */
  readonly listener: number;
  /** Whom to tell that it serves, or why it cannot. */
  readonly told: Fd;
};

/** An idle daemon becomes a sandbox's: as `runDaemon` from there on. */
export async function adoptSandbox({ args, idle, enter, listener, told }: Adoption): Promise<number> {
  const phases = new Phases();
  const store = createFileStore(args.root);
  let started: Started;
  try {
    started = start({ ...args, netnsFd: undefined }, store, phases, undefined, { idle, enter });
    say(told, { socket: started.record.socket });
  } catch (error) {
    say(told, { error: KataError.from(error).message });
    await idle.machine.stop().catch(() => {});
    await undoSandbox(store, args.id).catch(() => {});
    return 1;
  }
  told.close();
  await live(started, store, args.orphanSeconds ?? ORPHAN_SECONDS, listener);
  return 0;
}

function start(
  args: Omit<DaemonArguments, "orphanSeconds" | "ownerFd">,
  store: Store,
  phases: Phases,
  owner: Owner | undefined,
  adoption?: Pick<Adoption, "idle" | "enter">,
): Started {
  const record = store.update(args.id, nameOwnResources);
  const config = owner?.config ?? loadSavedConfig(args.config);
  const warnings = new Warnings();
  const log = openSandboxLog({
    sandbox: args,
    debug: args.debug || wantsDebug(config),
    onWarning: (line) => warnings.add(line),
    // An owner's standard error, or /dev/null in its place, is where its daemons write.
    ...(owner === undefined ? {} : { fd: 2 }),
  });
  const confinement = adoption?.enter(record) ?? leaveHostView(config, record, args.netnsFd);
  const lifetime = new Lifetime();
  const undone = () => lifetime.end();
  const shimRpcs = new RpcDurations();
  const hosted = hostSandbox({
    record,
    store,
    config,
    confinement,
    shimRpcs,
    phases,
    log,
    warnings,
    undone,
    idle: adoption?.idle,
  });
  return { record, hosted, shimRpcs, lifetime, log, owner };
}

async function live(started: Started, store: Store, orphanSeconds: number, listener: number): Promise<void> {
  const { record, hosted, shimRpcs, lifetime, log, owner } = started;
  const { sandbox } = hosted;
  const server = serveDaemon(listener, hosted, lifetime, shimRpcs, log);
  // Of a sandbox that is not on disk nobody could find it.
  const management = owner === undefined ? serveManagement(record, hosted, log) : undefined;
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
  management?.close();
  if (owner !== undefined || sandbox.containers().length === 0)
    await undoSandbox(store, sandbox.id).catch(() => {});
}

function say(ready: Fd, message: { socket: string } | { error: string }): void {
  try {
    ops.writeSync(ready.number, ops.utf8Encode(`${JSON.stringify(message)}\n`));
  } catch {
    // Nobody listens any more; the orphan's time runs.
  }
}
