import type { KataConfig } from "@kata-containers/config";
import { Fd, KataError, ops, SOCK } from "@kata-containers/sys";
import { makingSeconds } from "@kata-containers/virtcontainers";
import { endOrKill } from "../end-or-kill.ts";
import { PROGRAM_ENVIRONMENT } from "../program-environment.ts";
import { ControlSocket, closeAll, IDLE_CONTROL_FD } from "./control-socket.ts";
import { type IdleVm, parseIdleVm } from "./idle-vm.ts";

/** How long an idle daemon may take to end when it is told to, ms. */
const END_MS = 10_000;

interface IdleProcess {
  readonly control: ControlSocket;
  readonly pidfd: Fd;
}

/** A daemon that waits for its sandbox. */
export interface Idle extends IdleProcess {
  readonly vm: IdleVm;
}

export interface StartedIdle {
  readonly idle: Idle;
  /** What its VM's start warned of. */
  readonly warnings: readonly string[];
}

/**
 * Starts an idle daemon, and waits for its VM.
 * @param unwanted resolves when there shall be none any more
 * @throws KataError why there is none; nothing is left of it then
 */
export async function startIdle(config: KataConfig, unwanted: Promise<void>): Promise<StartedIdle> {
  const daemon = spawnIdle(config);
  try {
    const canceled = unwanted.then((): never => {
      throw new KataError("Canceled", "it is not wanted any more");
    });
    return await Promise.race([firstAnswer(daemon, config), canceled]);
  } catch (error) {
    await dismiss(daemon);
    throw KataError.from(error);
  }
}

async function firstAnswer(daemon: IdleProcess, config: KataConfig): Promise<StartedIdle> {
  await daemon.control.send({ config });
  const answer = await daemon.control.receiveWithin(startMs(config), "its daemon");
  if (answer === undefined) throw new KataError("Unavailable", "its daemon has ended");
  closeAll(answer.fds);
  const { vm, warnings, error } = answer.message;
  if (typeof error === "string") throw new KataError("Internal", error);
  return {
    idle: { ...daemon, vm: parseIdleVm(vm) },
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
  };
}

/** It may wait for another one that makes the template, make it itself, and start a VM then. */
function startMs(config: KataConfig): number {
  const { dial_timeout, request_timeout } = config.agent;
  return (2 * makingSeconds(config) + dial_timeout + request_timeout) * 1000;
}

function spawnIdle(config: KataConfig): IdleProcess {
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  const control = new ControlSocket(new Fd(ours));
  using idleEnd = new Fd(theirs);
  try {
    const { pidfd } = ops.spawn({
      path: config.runtime.shim_path,
      argv: ["containerd-shim-kata-v2", "--idle"],
      env: PROGRAM_ENVIRONMENT,
      cwd: "/",
      fds: [{ from: idleEnd.number, to: IDLE_CONTROL_FD }],
      setsid: true,
      doubleFork: true,
    });
    return { control, pidfd: new Fd(pidfd) };
  } catch (error) {
    control[Symbol.dispose]();
    throw KataError.from(error, "cannot start an idle daemon");
  }
}

/** Resolves when it has ended: it does with its control socket. */
export async function dismiss({ control, pidfd }: IdleProcess): Promise<void> {
  control[Symbol.dispose]();
  using _ = pidfd;
  // Nobody is left who could do more.
  await endOrKill(pidfd, ops.pidfdEnded(pidfd.number), END_MS).catch(() => {});
}
