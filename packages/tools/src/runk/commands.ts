import { OCI_VERSION, type State } from "@kata-containers/oci";
import { KataError, ops, signalNumber } from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";
import { signalCgroups } from "./cgroup-removal.ts";
import { openProcess, statusOf } from "./container-process.ts";
import { CREATE_OPTIONS, createContainer } from "./create-container.ts";
import { destroyContainer } from "./destroy-container.ts";
import { EXEC_OPTIONS, exec } from "./exec.ts";
import type { Globals } from "./globals.ts";
import { LIST_OPTIONS, list } from "./list.ts";
import { RecordDirectory, readRecord } from "./record.ts";
import { print } from "./report.ts";
import { RUN_OPTIONS, run } from "./run.ts";
import { start } from "./start.ts";

export type Command = {
  readonly options: Options;
  /** Words after the first are another program's: options end there. */
  readonly takesProgram?: true;
  /** One line for --help. */
  readonly summary: string;
  /** @returns the exit status */
  readonly run: (args: Arguments, globals: Globals) => Promise<number>;
};

/** The commands, by name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  create: { options: CREATE_OPTIONS, summary: "create a container", run: create },
  delete: { options: { force: { short: "f" } }, summary: "delete a container", run: remove },
  exec: { options: EXEC_OPTIONS, takesProgram: true, summary: "run a process in a container", run: exec },
  kill: { options: { all: { short: "a" } }, summary: "send a signal to a container", run: kill },
  list: { options: LIST_OPTIONS, summary: "list containers", run: list },
  run: { options: RUN_OPTIONS, summary: "create and start a container", run },
  start: { options: {}, summary: "start a created container", run: start },
  state: { options: {}, summary: "print a container's state", run: state },
};

async function create(args: Arguments, globals: Globals): Promise<number> {
  const created = await createContainer(args.word(0, "container id"), args, globals, true, false);
  created.directory[Symbol.dispose]();
  return 0;
}

async function state(args: Arguments, globals: Globals): Promise<number> {
  const record = readRecord(globals.root, args.word(0, "container id"));
  const status = statusOf(globals.root, record);
  const report: State & Record<string, unknown> = {
    ociVersion: OCI_VERSION,
    id: record.id,
    pid: status === "stopped" ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(record.annotations === undefined ? {} : { annotations: record.annotations }),
    owner: "",
  };
  print(`${JSON.stringify(report, null, 2)}\n`);
  return 0;
}

async function kill(args: Arguments, globals: Globals): Promise<number> {
  const id = args.word(0, "container id");
  const text = args.words[1] ?? "SIGTERM";
  const signal = signalNumber(text);
  if (signal === undefined) throw new KataError("InvalidArgument", `unknown signal ${JSON.stringify(text)}`);
  using directory = RecordDirectory.open(globals.root, id);
  const record = directory.mustRead();
  using process = openProcess(record);
  if (args.flag("all")) signalCgroups(record.cgroups, signal);
  else if (process === undefined) throw new KataError("FailedPrecondition", "container not running");
  else ops.pidfdSendSignal(process.number, signal);
  return 0;
}

async function remove(args: Arguments, globals: Globals): Promise<number> {
  const id = args.word(0, "container id");
  const force = args.flag("force");
  let directory: RecordDirectory;
  try {
    directory = RecordDirectory.open(globals.root, id);
  } catch (error) {
    if (force && error instanceof KataError && error.code === "NotFound") return 0;
    throw error;
  }
  using locked = directory;
  const record = locked.read();
  const status = record === undefined ? "stopped" : statusOf(globals.root, record);
  // Also one that is only created: OCI runtime-spec, runtime.md, "Delete".
  if (!force && status !== "stopped") {
    throw new KataError("FailedPrecondition", `cannot delete container ${id} that is not stopped: ${status}`);
  }
  await destroyContainer(locked, record);
  return 0;
}
