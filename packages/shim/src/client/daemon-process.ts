import type { KataConfig } from "@kata-containers/config";
import { Fd, isSysError, KataError, makePipe, mkdirp, ops, SIG, type SpawnFd } from "@kata-containers/sys";
import { creationSeconds, RUNTIME_DIR, savedConfigPath } from "@kata-containers/virtcontainers";
import { PROGRAM_ENVIRONMENT } from "../program-environment.ts";

export interface DaemonOrder {
  readonly config: KataConfig;
  readonly id: string;
  readonly root: string;
  readonly debug: boolean;
  /** undefined: the daemon makes one. */
  readonly networkNamespace: Fd | undefined;
  /** The listening socket. */
  readonly listener: Fd;
  /** How long it waits for the first call, when that is more than some seconds: the caller runs hooks before. */
  readonly orphanSeconds?: number;
  /** For a sandbox that is not on disk: whoever holds the other end owns it, and has sent record and configuration. */
  readonly owner?: Fd;
  /** Its cgroups are in a scope of systemd's, where this process stands for it until it has come. */
  readonly scoped?: boolean;
}

/** A sandbox's daemon that was started and may not be ready yet. */
export interface DaemonProcess {
  /** Rejects when the daemon ends, or says that it cannot start, before it serves. Resolves when it serves. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
  /** Kills it, if it still runs, and waits for its end. What it started dies with it. */
  kill(): Promise<void>;
}

/** Descriptors of the daemon by number: the contract with containerd-shim-kata-v2 --daemon. */
const READY = 3;
const NETNS = 4;
const LISTENER = 5;
const OWNER = 6;

/**
 * Starts the sandbox's daemon, detached: a session of its own, nobody's child, no descriptor but those listed here.
 * @throws KataError when it cannot be executed
 */
export function spawnDaemon(order: DaemonOrder): DaemonProcess {
  const { read: ready, write } = makePipe();
  using told = write;
  try {
    const spawned = ops.spawn({
      path: order.config.runtime.shim_path,
      argv: argumentsOf(order),
      env: PROGRAM_ENVIRONMENT,
      cwd: "/",
      fds: [
        { from: told.number, to: READY },
        { from: order.listener.number, to: LISTENER },
        ...moreFds(order),
      ],
      setsid: true,
      doubleFork: true,
    });
    return daemonProcess(readReady(ready), new Fd(spawned.pidfd));
  } catch (error) {
    ready.close();
    throw KataError.from(error, "cannot start the sandbox's daemon");
  }
}

/** @param ready see DaemonProcess; nobody need look at it */
export function daemonProcess(ready: Promise<void>, pidfd: Fd): DaemonProcess {
  // Whoever it is for may be busy with something else when it is rejected.
  ready.catch(() => {});
  return {
    ready,
    ended: () => ops.pidfdEnded(pidfd.number),
    kill: () => killAndWait(pidfd),
  };
}

function moreFds({ networkNamespace, owner, debug }: DaemonOrder): SpawnFd[] {
  const fds: SpawnFd[] = [];
  if (networkNamespace !== undefined) fds.push({ from: networkNamespace.number, to: NETNS });
  if (owner !== undefined) fds.push({ from: owner.number, to: OWNER });
  // It has no file to log to then.
  if (owner !== undefined && debug) fds.push({ from: 2, to: 2 });
  return fds;
}

function argumentsOf({
  config,
  id,
  root,
  debug,
  networkNamespace,
  owner,
  orphanSeconds,
}: DaemonOrder): string[] {
  const argv = ["containerd-shim-kata-v2", "--daemon", "--id", id, "--root", root];
  if (networkNamespace !== undefined) argv.push("--netns-fd", String(NETNS));
  if (owner === undefined) argv.push("--config", savedConfigPath(root, id));
  else argv.push("--owner-fd", String(OWNER));
  if (orphanSeconds !== undefined) argv.push("--orphan-seconds", String(orphanSeconds));
  if (debug || config.runtime.enable_debug) argv.push("--debug");
  return argv;
}

/** One JSON line: {"socket": path} when it serves, {"error": text} when it cannot. */
async function readReady(pipe: Fd): Promise<void> {
  using _ = pipe;
  let line = "";
  while (!line.endsWith("\n")) {
    const bytes = await ops.read(pipe.number, 64 * 1024);
    if (bytes.length === 0) break;
    line += ops.utf8Decode(bytes);
  }
  checkReady(line === "" ? undefined : JSON.parse(line));
}

/**
 * What a daemon says when it serves, or that it cannot.
 * @param answer undefined: it has ended
 * @throws KataError
 */
export function checkReady(answer: unknown): void {
  if (answer === undefined)
    throw new KataError("Unavailable", "the sandbox's daemon ended before it was ready");
  if (typeof answer === "object" && answer !== null && "error" in answer) {
    throw new KataError("Internal", String(answer.error));
  }
}

/** The daemon is dead then. Closes its descriptor; without effect the second time. */
export async function killAndWait(pidfd: Fd): Promise<void> {
  using _ = pidfd;
  try {
    ops.pidfdSendSignal(pidfd.number, SIG.SIGKILL);
  } catch (error) {
    if (isSysError(error, "EBADF")) return;
    if (!isSysError(error, "ESRCH")) throw error;
  }
  await ops.pidfdEnded(pidfd.number);
}

/** Only root may connect; the record is ours, so whatever is at the path was left by a sandbox that is gone. */
export function listenForDaemon(socket: string): Fd {
  mkdirp(RUNTIME_DIR, 0o711);
  try {
    return new Fd(ops.unixListen(socket, 64, 0o600));
  } catch (error) {
    throw KataError.from(error, "cannot make the daemon's socket");
  }
}

/** The daemon has a time-out for each step; this one is for a daemon that does not answer at all. */
export function createTimeoutMs(config: KataConfig): number {
  return (creationSeconds(config) + 5) * 1000;
}
