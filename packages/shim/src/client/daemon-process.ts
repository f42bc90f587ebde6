import type { KataConfig } from "@kata-containers/config";
import { Fd, isSysError, KataError, mkdirp, ops, SIG } from "@kata-containers/sys";
import { RUNTIME_DIR, savedConfigPath } from "@kata-containers/virtcontainers";

export interface DaemonOrder {
  readonly config: KataConfig;
  readonly id: string;
  readonly root: string;
  readonly debug: boolean;
  readonly networkNamespace: Fd;
  /** The listening socket. */
  readonly listener: Fd;
  /** How long it waits for the first call, when that is more than some seconds: the caller runs hooks before. */
  readonly orphanSeconds?: number;
}

/** A sandbox's daemon that was started and may not be ready yet. */
export interface DaemonProcess {
  /** Rejects when the daemon ends, or says that it cannot start, before it serves. Resolves when it serves. */
  readonly ready: Promise<void>;
  /** Kills it and waits for its end. What it started dies with it. */
  kill(): Promise<void>;
}

/** Descriptors of the daemon by number: the contract with containerd-shim-kata-v2 --daemon. */
const READY = 3;
const NETNS = 4;
const LISTENER = 5;

/**
 * Starts the sandbox's daemon, detached: a session of its own, nobody's child, no descriptor but those listed here.
 * @throws KataError when it cannot be executed
 */
export function spawnDaemon(order: DaemonOrder): DaemonProcess {
  const [readEnd, writeEnd] = ops.pipe();
  if (readEnd === undefined || writeEnd === undefined)
    throw new KataError("Internal", "pipe gave no descriptors");
  const ready = new Fd(readEnd);
  using told = new Fd(writeEnd);
  try {
    const { pidfd } = ops.spawn({
      path: order.config.runtime.shim_path,
      argv: argumentsOf(order),
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      cwd: "/",
      fds: [
        { from: told.number, to: READY },
        { from: order.networkNamespace.number, to: NETNS },
        { from: order.listener.number, to: LISTENER },
      ],
      setsid: true,
      doubleFork: true,
    });
    return { ready: readReady(ready), kill: () => killAndWait(pidfd) };
  } catch (error) {
    ready.close();
    throw KataError.from(error, "cannot start the sandbox's daemon");
  }
}

function argumentsOf({ config, id, root, debug, orphanSeconds }: DaemonOrder): string[] {
  const argv = ["containerd-shim-kata-v2", "--daemon", "--id", id, "--root", root];
  argv.push("--config", savedConfigPath(root, id));
  argv.push("--netns-fd", String(NETNS));
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
  if (line === "") throw new KataError("Unavailable", "the sandbox's daemon ended before it was ready");
  const answer: unknown = JSON.parse(line);
  if (typeof answer === "object" && answer !== null && "error" in answer) {
    throw new KataError("Internal", String(answer.error));
  }
}

async function killAndWait(pidfd: number): Promise<void> {
  using fd = new Fd(pidfd);
  try {
    ops.pidfdSendSignal(fd.number, SIG.SIGKILL);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
  await ops.pidfdEnded(fd.number);
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
  const { vm_start_timeout, stop_timeout } = config.runtime;
  const { dial_timeout, request_timeout } = config.agent;
  return (vm_start_timeout + dial_timeout + request_timeout + stop_timeout + 5) * 1000;
}
