import type { Box, Process } from "@kata-containers/oci";
import { Fd, KataError, O, ops, type SpawnFd } from "@kata-containers/sys";
import { absolutePath } from "../paths.ts";

/** Where a container's process reads and writes on the host. */
export interface ProcessStdio extends Disposable {
  readonly terminal: boolean;
  /** For the daemon, in the order stdin, stdout, stderr; with a terminal only the first two. */
  readonly daemonFds: readonly number[];
  /** What kata-shim inherits as 0, 1 and 2. */
  readonly shimFds: readonly SpawnFd[];
  /** kata-shim's stdin becomes its controlling terminal, so that it hears of changes of size. */
  readonly shimTerminal: boolean;
}

export interface StdioWish {
  readonly process: Process;
  /** The command returns while the process runs. */
  readonly detach: boolean;
  readonly consoleSocket: string | undefined;
}

/**
 * Chooses the stdio as runc does: our own descriptors, or a new terminal whose master goes to the console socket.
 * @throws KataError InvalidArgument with runc's texts when the wish contradicts itself
 */
export async function openStdio({ process, detach, consoleSocket }: StdioWish): Promise<ProcessStdio> {
  const terminal = process.terminal ?? false;
  if (consoleSocket !== undefined && !(terminal && detach)) {
    throw invalid("cannot use console socket if kata-runtime will not detach or allocate tty");
  }
  if (terminal && detach && consoleSocket === undefined) {
    throw invalid("cannot allocate tty if kata-runtime will detach without setting console socket");
  }
  if (consoleSocket !== undefined) return newConsole(process, absolutePath(consoleSocket));
  return terminal ? ownTerminal() : ownDescriptors();
}

/** A process that will have our terminal, with the size that this has now: the process may ask for it at its first instruction. */
export function sizedAsOurs(process: Process): Process {
  const consoleSize = ops.isatty(0) ? terminalSize() : undefined;
  return consoleSize === undefined ? process : { ...process, consoleSize };
}

/** The size of our terminal; undefined when nobody has given it one, and it is 0. @throws SysError when we have none */
export function terminalSize(): Box | undefined {
  const { row, col } = ops.getWinsize(0);
  return row === 0 || col === 0 ? undefined : { height: row, width: col };
}

function ownDescriptors(): ProcessStdio {
  return {
    terminal: false,
    daemonFds: [0, 1, 2],
    shimFds: inherit(0, 1, 2),
    shimTerminal: false,
    [Symbol.dispose]() {},
  };
}

/** The daemon gets open files of its own where ours is a terminal: its flags must not become those of the caller's shell. */
function ownTerminal(): ProcessStdio {
  const fresh = [0, 1].map((fd) => (ops.isatty(fd) ? reopen(fd) : new Fd(ops.dup(fd))));
  return {
    terminal: true,
    daemonFds: fresh.map((fd) => fd.number),
    shimFds: inherit(0, 1, 2),
    shimTerminal: false,
    [Symbol.dispose]: () => {
      for (const fd of fresh) fd.close();
    },
  };
}

async function newConsole(process: Process, socket: string): Promise<ProcessStdio> {
  try {
    const pair = ops.openPty();
    using master = new Fd(pair.master);
    const slave = new Fd(pair.slave);
    // The line discipline that counts is the guest's terminal's.
    ops.makeRaw(slave.number);
    const size = process.consoleSize;
    if (size !== undefined) ops.setWinsize(slave.number, { row: size.height, col: size.width });
    using connection = new Fd(await ops.unixConnect(socket));
    await ops.sendFds(connection.number, ops.utf8Encode(pair.path), [master.number]);
    const fresh = reopen(slave.number);
    return {
      terminal: true,
      daemonFds: [fresh.number, fresh.number],
      shimFds: inherit(slave.number, slave.number, slave.number),
      shimTerminal: true,
      [Symbol.dispose]: () => {
        fresh.close();
        slave.close();
      },
    };
  } catch (error) {
    throw KataError.from(error, `cannot give a terminal to console socket ${socket}`);
  }
}

function inherit(stdin: number, stdout: number, stderr: number): SpawnFd[] {
  return [
    { from: stdin, to: 0 },
    { from: stdout, to: 1 },
    { from: stderr, to: 2 },
  ];
}

function reopen(fd: number): Fd {
  return new Fd(ops.open(`/proc/self/fd/${fd}`, O.RDWR | O.NOCTTY | O.CLOEXEC, 0));
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}
