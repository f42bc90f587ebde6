import type { KataConfig } from "@kata-containers/config";
import type { Process } from "@kata-containers/oci";
import { Daemon } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import { FORWARDED, SignalInbox } from "@kata-containers/shim";
import { KataError, ops, Undo } from "@kata-containers/sys";
import { checkGuestProcess, hex, loadSavedConfig, savedConfigPath } from "@kata-containers/virtcontainers";
import { execRow } from "../commands/exec.ts";
import { attend } from "../container/attend.ts";
import { sendStdio } from "../container/create-container.ts";
import { launchFailureStatus } from "../container/exit-status.ts";
import { type FoundContainer, findContainer } from "../container/find-container.ts";
import { wantedGuestProcess } from "../container/guest-exec-process.ts";
import { liveDaemon, liveState } from "../container/live-daemon.ts";
import { writePidFile } from "../container/pid-file.ts";
import { type ShimProcess, spawnExecShim } from "../container/shim-process.ts";
import { requestTimeoutMs } from "../container/start-container.ts";
import { openStdio, type ProcessStdio, sizedAsOurs } from "../container/stdio.ts";
import { defineCommand } from "../define-command.ts";
import { passOnWarning, reportError } from "../report-error.ts";

export const execCommand = defineCommand({
  ...execRow,
  async run({ options, args: [id = "", ...command], globals }) {
    using found = await findContainer(globals, id);
    const { status, pid } = await liveState(found);
    const daemon = checkStatus(found, status, options["ignore-paused"]);
    const process = wantedGuestProcess(options, command, found);
    // Of the container's own process create has told.
    if (options.process !== undefined)
      for (const dropped of checkGuestProcess(process)) passOnWarning(globals, dropped);
    const config = loadSavedConfig(savedConfigPath(found.record.root, found.record.id));
    using signals = new SignalInbox(FORWARDED);
    using stdio = await openStdio({
      process,
      detach: options.detach,
      consoleSocket: options["console-socket"],
    });
    const execId = hex(ops.random(8));
    const paused = status === "paused";
    const sized = stdio.terminal && !options.detach ? sizedAsOurs(process) : process;
    const cgroups = options.cgroup;
    const start = { id, execId, process: sized, stdio, config, containerShim: pid, paused, cgroups };
    try {
      using shim = await startProcess(daemon, found.record.socket, start);
      if (options["pid-file"] !== undefined) writePidFile(options["pid-file"], shim.pid);
      if (options.detach) return 0;
      return await attend({ ...start, daemon, shim, signals, terminal: stdio.terminal });
    } catch (error) {
      if (!(error instanceof KataError)) throw error;
      reportError(globals, error.message);
      return launchFailureStatus(error.message);
    }
  },
});

interface ProcessStart {
  readonly id: string;
  readonly execId: string;
  readonly process: Process;
  readonly stdio: ProcessStdio;
  readonly config: KataConfig;
  /** Pid of the container's own kata-shim. */
  readonly containerShim: number;
  /** The process will not run before the container is resumed. */
  readonly paused: boolean;
  /** Control groups below the container's own, as --cgroup names them. */
  readonly cgroups: readonly string[];
}

async function startProcess(daemon: DaemonClient, socket: string, start: ProcessStart): Promise<ShimProcess> {
  await using undo = new Undo();
  const { id, execId, stdio, config } = start;
  const shim = spawnExecShim({ ...start, socket });
  undo.defer(() => shim.kill());
  const fds: number[] = [];
  const request = {
    id,
    execId,
    processJson: ops.utf8Encode(JSON.stringify(start.process)),
    stdio: sendStdio(stdio, (fd) => (fd === undefined ? 0 : fds.push(fd))),
    attach: true,
    ignorePaused: start.paused,
    cgroups: start.cgroups,
  };
  const limit = start.paused ? {} : { timeoutMs: requestTimeoutMs(config) };
  await daemon.call(Daemon.Exec, request, { fds, ...limit });
  undo.commit();
  return shim;
}

/** @throws KataError FailedPrecondition with runc's words */
function checkStatus(found: FoundContainer, status: string, ignorePaused: boolean): DaemonClient {
  const refuse = (why: string) => new KataError("FailedPrecondition", why);
  const stopped = "cannot exec in a stopped container";
  const daemon = liveDaemon(found, stopped);
  if (status === "stopped") throw refuse(stopped);
  if (status === "paused" && !ignorePaused)
    throw refuse("cannot exec in a paused container (use --ignore-paused to override)");
  return daemon;
}
