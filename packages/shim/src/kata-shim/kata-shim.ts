import { Daemon } from "@kata-containers/protocols";
import { Fd, KataError, ops, SIG } from "@kata-containers/sys";
import { connectDaemon, type DaemonClient } from "../client/daemon-client.ts";
import { FORWARDED, SignalInbox } from "../signal-inbox.ts";
import { parseShimArguments, type ShimArguments } from "./arguments.ts";
import { enterContainerView } from "./container-view.ts";

/** Exit status when the daemon has died, so that nobody knows the process's own. */
const LOST = 255;

/**
 * kata-shim: stands on the host for one process in the guest. It keeps the stdio that it inherited, passes on the
 * signals that it gets, and ends with the process's exit status. It lives in the sandbox's network namespace, in pid
 * and ipc namespaces of its own, and sees only the container's files.
 * @param argv [0] is the program's name
 */
export async function kataShim(argv: readonly string[]): Promise<number> {
  try {
    return await stand(parseShimArguments(argv.slice(1)));
  } catch (error) {
    if (!(error instanceof KataError)) throw error;
    if (error.code !== "Unavailable") ops.writeSync(2, ops.utf8Encode(`kata-shim: ${error.message}\n`));
    return LOST;
  }
}

async function stand({ socket, id, execId, terminal, gateFd, view }: ShimArguments): Promise<number> {
  // Held from the start: a signal that comes before the process is there must not end us.
  using signals = new SignalInbox(FORWARDED);
  // By path, so that the daemon sees our pid as its peer's; the socket is out of reach after the next line.
  using daemon = await connect(socket);
  enterContainerView(view);
  if (gateFd !== undefined) await passGate(gateFd);
  const ended = daemon.call(Daemon.Attach, { id, execId });
  signals.deliver((signal) => {
    if (signal === SIG.SIGWINCH) void resize(daemon, id, execId, terminal);
    else void forward(daemon, id, execId, signal);
  });
  if (terminal) void resize(daemon, id, execId, terminal);
  const { exitStatus } = await Promise.race([ended, signals.failed]);
  return exitStatus;
}

/** Hooks that join our namespaces must not see the host there: we tell that it is out of sight, then they run. */
async function passGate(gateFd: number): Promise<void> {
  using gate = new Fd(gateFd);
  ops.writeSync(gate.number, Uint8Array.of(0));
  const word = await ops.read(gate.number, 1);
  if (word.length === 0) throw new KataError("Unavailable", "whoever creates the container is gone");
}

async function connect(socket: string): Promise<DaemonClient> {
  const daemon = await connectDaemon(socket);
  if (daemon === undefined) throw new KataError("Unavailable", `${socket}: the sandbox's daemon is gone`);
  return daemon;
}

/** What is not delivered has nobody to report to: the process has ended, or the daemon, which Attach tells. */
async function forward(daemon: DaemonClient, id: string, execId: string, signal: number): Promise<void> {
  try {
    await daemon.call(Daemon.Kill, { id, execId, signal, all: false });
  } catch {}
}

async function resize(daemon: DaemonClient, id: string, execId: string, terminal: boolean): Promise<void> {
  if (!terminal) return;
  try {
    const { row, col } = ops.getWinsize(0);
    await daemon.call(Daemon.ResizePty, { id, execId, row, column: col });
  } catch {}
}
