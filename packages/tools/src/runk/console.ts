import { Fd, isSysError, KataError, ops, SIG } from "@kata-containers/sys";

/** Sends a terminal's master to whoever listens on a console socket, as runc does: the name of the tty goes with it. */
export async function sendConsole(socketPath: string, master: Fd): Promise<void> {
  let number: number;
  try {
    number = await ops.unixConnect(socketPath);
  } catch (error) {
    throw KataError.from(error, `console socket ${socketPath}`);
  }
  using socket = new Fd(number);
  await ops.sendFds(socket.number, ops.utf8Encode("/dev/ptmx"), [master.number]);
}

/** Joins our own terminal with the container's until `ended` resolves: raw mode, both directions, size. */
export async function relayConsole(master: Fd, ended: Promise<unknown>): Promise<void> {
  const isTerminal = ops.isatty(0);
  const settings = isTerminal ? ops.makeRaw(0) : undefined;
  if (isTerminal) ops.setWinsize(master.number, ops.getWinsize(0));
  using resized = isTerminal ? new Fd(ops.signalOpen([SIG.SIGWINCH])) : undefined;
  const copySizes = resized === undefined ? Promise.resolve() : followSize(resized, master);
  const input = ops.pump(0, master.number).catch(ignoreEnd);
  // The last slave's end shows as EIO on the master.
  const output = ops.pump(master.number, 1).catch(ignoreEnd);
  try {
    await ended;
    await output;
  } finally {
    ops.cancel(0);
    resized?.close();
    await Promise.all([input, copySizes.catch(ignoreEnd)]);
    if (settings !== undefined) ops.setTermios(0, settings);
  }
}

async function followSize(resized: Fd, master: Fd): Promise<void> {
  while (true) {
    await ops.signalRead(resized.number);
    ops.setWinsize(master.number, ops.getWinsize(0));
  }
}

function ignoreEnd(error: unknown): void {
  if (!isSysError(error, "EIO", "ECANCELED", "EPIPE", "EBADF")) throw error;
}

/** runc's rules and texts (utils_linux.go, checkTerminal) for a process that `exec` starts. @throws KataError InvalidArgument */
export function checkExecTerminal(terminal: boolean, detach: boolean, socket: string | undefined): void {
  const refuse = (why: string) => new KataError("InvalidArgument", why);
  if (detach && terminal && socket === undefined)
    throw refuse("cannot allocate tty if runk will detach without setting console socket");
  if ((!detach || !terminal) && socket !== undefined)
    throw refuse("cannot use console socket if runk will not detach or allocate tty");
}
