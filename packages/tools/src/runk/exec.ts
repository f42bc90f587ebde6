import { compileExec, launch, readHostFacts } from "@kata-containers/launch";
import { OCI_VERSION, type Process, parseProcess, parseSpec, type State } from "@kata-containers/oci";
import { Fd, KataError, MAX_TEXT_BYTES, O, ops } from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";
import { sendConsole } from "./console.ts";
import { openProcess, statusOf } from "./container-process.ts";
import { writePidFile } from "./create-container.ts";
import type { Globals } from "./globals.ts";
import { type ContainerRecord, readRecord, readSeccomp } from "./record.ts";
import { warn } from "./report.ts";
import { openForwarded, waitInForeground } from "./run.ts";
import { passListener } from "./seccomp-listener.ts";

export const EXEC_OPTIONS: Options = {
  "console-socket": { value: true },
  cwd: { value: true },
  env: { short: "e", value: true },
  tty: { short: "t" },
  user: { short: "u", value: true },
  process: { short: "p", value: true },
  detach: { short: "d" },
  "pid-file": { value: true },
  "no-new-privs": {},
};

/** Descriptor of the container's pidfd in kata-launch. */
const CONTAINER = 5;
/** And of its root, for one without a mount namespace of its own. */
const CONTAINER_ROOT = 6;

/** Runs one more process in a container. @returns its status, 128 + its signal; 0 when detached. */
export async function exec(args: Arguments, globals: Globals): Promise<number> {
  const record = readRecord(globals.root, args.word(0, "container id"));
  if (statusOf(globals.root, record) === "stopped") {
    throw new KataError("FailedPrecondition", "cannot exec a container that has stopped");
  }
  const text = ops.readFile(`${globals.root}/${record.id}/config.json`, MAX_TEXT_BYTES);
  const spec = parseSpec(text);
  const process = readProcess(args, spec.process);
  const detach = args.flag("detach");
  const socket = args.value("console-socket");
  if (process.terminal === true && detach && socket === undefined) {
    throw new KataError(
      "InvalidArgument",
      "cannot allocate tty if runk will detach without setting console socket",
    );
  }
  using container = openProcess(record);
  if (container === undefined)
    throw new KataError("FailedPrecondition", "cannot exec a container that has stopped");
  using root = record.hostMount === undefined ? undefined : openRoot(record, container);
  const seccomp = readSeccomp(globals.root, record.id);
  const warnings: string[] = [];
  const plan = compileExec(spec, process, readHostFacts(), {
    containerPidfd: CONTAINER,
    cgroups: record.cgroups,
    warnings,
    ...(root === undefined ? {} : { containerRoot: CONTAINER_ROOT }),
    ...(seccomp === undefined ? {} : { seccomp }),
  });
  warnings.forEach(warn);
  using signals = openForwarded();
  const stdio = process.terminal === true ? [] : [0, 1, 2].map((fd) => ({ from: fd, to: fd }));
  const launched = await launch(plan, {
    launchPath: globals.launchPath,
    fds: [
      ...stdio,
      { from: container.number, to: CONTAINER },
      ...(root === undefined ? [] : [{ from: root.number, to: CONTAINER_ROOT }]),
    ],
    until: "exec",
    ...passListener(spec, () => containerState(record)),
  });
  if (socket !== undefined && launched.console !== undefined) await sendConsole(socket, launched.console);
  const pidFile = args.value("pid-file");
  if (pidFile !== undefined) writePidFile(pidFile, launched.pid);
  return detach ? 0 : await waitInForeground(launched, signals);
}

/** The root of the process behind `container`, and of no later one with its pid. */
function openRoot({ pid }: ContainerRecord, container: Fd): Fd {
  const root = new Fd(ops.open(`/proc/${pid}/root`, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
  ops.pidfdSendSignal(container.number, 0);
  return root;
}

function containerState({ id, bundle, pid, annotations = {} }: ContainerRecord): State {
  return { ociVersion: OCI_VERSION, id, status: "running", pid, bundle, annotations };
}

/** From process.json, or the container's own process with another command. */
function readProcess(args: Arguments, base: Process | undefined): Process {
  const file = args.value("process");
  if (file !== undefined) return parseProcess(ops.readFile(file, MAX_TEXT_BYTES), file);
  if (base === undefined)
    throw new KataError("InvalidArgument", "the container's config.json has no process");
  const words = args.words.slice(1);
  if (words.length === 0) throw new KataError("InvalidArgument", "process args cannot be empty");
  return {
    ...base,
    args: words,
    terminal: args.flag("tty"),
    cwd: args.value("cwd") ?? base.cwd,
    env: [...(base.env ?? []), ...args.values("env")],
    ...(args.flag("no-new-privs") ? { noNewPrivileges: true } : {}),
    user: readUser(args.value("user"), base.user ?? {}),
  };
}

function readUser(
  text: string | undefined,
  base: NonNullable<Process["user"]>,
): NonNullable<Process["user"]> {
  if (text === undefined) return base;
  const match = /^(\d+)(?::(\d+))?$/.exec(text);
  if (match === null)
    throw new KataError("InvalidArgument", `--user must be UID[:GID], is ${JSON.stringify(text)}`);
  return { ...base, uid: Number(match[1]), ...(match[2] === undefined ? {} : { gid: Number(match[2]) }) };
}
