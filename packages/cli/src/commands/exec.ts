import type { KataConfig } from "@kata-containers/config";
import { type Process, parseProcess, parseSpec, type User } from "@kata-containers/oci";
import { Daemon } from "@kata-containers/protocols";
import type { DaemonClient } from "@kata-containers/shim";
import { FORWARDED, SignalInbox } from "@kata-containers/shim";
import { KataError, MAX_TEXT_BYTES, ops, Undo } from "@kata-containers/sys";
import { hex, loadSavedConfig, savedConfigPath } from "@kata-containers/virtcontainers";
import type { Values } from "../command.ts";
import { attend } from "../container/attend.ts";
import { sendStdio } from "../container/create-container.ts";
import { launchFailureStatus } from "../container/exit-status.ts";
import { currentState, type FoundContainer, findContainer } from "../container/find-container.ts";
import { writePidFile } from "../container/pid-file.ts";
import { type ShimProcess, spawnExecShim } from "../container/shim-process.ts";
import { requestTimeoutMs } from "../container/start-container.ts";
import { openStdio, type ProcessStdio } from "../container/stdio.ts";
import { defineCommand } from "../define-command.ts";
import { absolutePath } from "../paths.ts";
import { reportError } from "../report-error.ts";
import { containerId } from "./container-options.ts";

const execOptions = {
  process: {
    short: "p",
    value: "FILE",
    help: "the process as JSON (OCI), instead of the options below and COMMAND",
  },
  detach: { short: "d", help: "return when the process runs" },
  "pid-file": { value: "FILE", help: "write the pid of the process that stands for it (kata-shim) there" },
  tty: { short: "t", help: "give the process a terminal" },
  cwd: { value: "DIR", help: "its current directory" },
  env: { short: "e", value: "NAME=VALUE", repeat: true, help: "add to its environment" },
  user: { short: "u", value: "UID[:GID]", help: "its user and group, as numbers" },
  "console-socket": { value: "SOCKET", help: "unix socket that gets the terminal's master descriptor" },
} as const;

export const exec = defineCommand({
  name: "exec",
  summary: "run another process in a container",
  description:
    "Exits with the status of the process: 128 + N when signal N ended it, 127 when its command is not found, 126 when " +
    "it cannot be executed. What is not given is as in the container's own process.",
  args: [containerId, { name: "COMMAND", optional: true, rest: true, help: "the command and its arguments" }],
  options: execOptions,
  async run({ options, args: [id = "", ...command], globals }) {
    using found = await findContainer(globals, id);
    const { status, pid } = await currentState(found);
    if (found.daemon === undefined || status !== "running") {
      throw new KataError(
        "FailedPrecondition",
        `cannot exec in a container that is not running (${id} is ${status})`,
      );
    }
    const process = wantedProcess(options, command, found);
    const config = loadSavedConfig(savedConfigPath(found.record.root, found.record.id));
    using signals = new SignalInbox(FORWARDED);
    using stdio = await openStdio({
      process,
      detach: options.detach,
      consoleSocket: options["console-socket"],
    });
    const start = { id, execId: hex(ops.random(8)), process, stdio, config, containerShim: pid };
    try {
      using shim = await startProcess(found.daemon, found.record.socket, start);
      if (options["pid-file"] !== undefined) writePidFile(options["pid-file"], shim.pid);
      if (options.detach) return 0;
      return await attend({ ...start, daemon: found.daemon, shim, signals, terminal: stdio.terminal });
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
  };
  await daemon.call(Daemon.Exec, request, { fds, timeoutMs: requestTimeoutMs(config) });
  undo.commit();
  return shim;
}

/** From --process, else the container's own process changed by the options, as runc does. */
function wantedProcess(
  options: Values<typeof execOptions>,
  command: readonly string[],
  { container }: FoundContainer,
): Process {
  if (options.process !== undefined) {
    const path = absolutePath(options.process);
    const process = parseProcess(readBytes(path, "cannot read the process"), path);
    return options.tty ? { ...process, terminal: true } : process;
  }
  if (command.length === 0)
    throw new KataError("InvalidArgument", "exec: COMMAND is missing (or name a --process file)");
  const file = `${container.bundle}/config.json`;
  const own = parseSpec(readBytes(file, "cannot read the container's process"), file).process;
  if (own === undefined) throw new KataError("InvalidArgument", `${file}: process: is missing`);
  return {
    ...own,
    args: command,
    terminal: options.tty,
    env: [...(own.env ?? []), ...options.env],
    cwd: options.cwd ?? own.cwd,
    ...(options.user === undefined ? {} : { user: { ...own.user, ...readUser(options.user) } }),
  };
}

function readUser(text: string): User {
  const [uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text)?.slice(1) ?? [];
  if (uid === undefined)
    throw new KataError("InvalidArgument", `exec: --user ${JSON.stringify(text)}: must be UID or UID:GID`);
  return gid === undefined ? { uid: Number(uid) } : { uid: Number(uid), gid: Number(gid) };
}

function readBytes(path: string, what: string): Uint8Array {
  try {
    return ops.readFile(path, MAX_TEXT_BYTES);
  } catch (error) {
    throw KataError.from(error, what);
  }
}
