import { containerId, processOptions, wantedProcess, writePidFile } from "@kata-containers/cli";
import {
  compileExec,
  entryPlaces,
  LAUNCH_TIMEOUT_MS,
  launch,
  readHostFacts,
  sealedProgram,
  subCgroups,
} from "@kata-containers/launch";
import { OCI_VERSION, parseSpec, type Spec, type State, type Status } from "@kata-containers/oci";
import { Fd, KataError, MAX_TEXT_BYTES, O, ops, Undo } from "@kata-containers/sys";
import { checkExecTerminal, sendConsole } from "../console.ts";
import { preserveFds } from "../container-options.ts";
import { openProcess, statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { openForwarded, waitInForeground } from "../foreground.ts";
import { killLaunched } from "../launch-process.ts";
import { passedDescriptors } from "../passed-descriptors.ts";
import { type ContainerRecord, readRecord, readSeccomp } from "../record.ts";
import { warn } from "../report.ts";
import { passListener } from "../seccomp-listener.ts";

/** Descriptor of the container's pidfd in kata-launch. */
const CONTAINER = 5;
/** And of its root, for one without a mount namespace of its own. */
const CONTAINER_ROOT = 6;

const execOptions = {
  ...processOptions,
  ...preserveFds,
  "process-label": { value: "LABEL", help: "its SELinux label" },
  apparmor: { value: "PROFILE", help: "its AppArmor profile" },
  detach: { short: "d", help: "return when the process runs" },
  "pid-file": { value: "FILE", help: "write its pid there" },
  "console-socket": { value: "SOCKET", help: "unix socket that gets the terminal's master descriptor" },
  "ignore-paused": { help: "also in a paused container: the process runs when it is resumed" },
} as const;

export const exec = defineCommand({
  name: "exec",
  summary: "run another process in a container",
  description:
    "Exits with the status of the process: 128 + N when signal N ended it, 127 when its command is not found, 126 when " +
    "it cannot be executed; with 255 when anything else fails. What is not given is as in the container's own process.",
  args: [containerId, { name: "COMMAND", optional: true, rest: true, help: "the command and its arguments" }],
  options: execOptions,
  async run({ options, args: [id = "", ...command], globals }) {
    const record = readRecord(globals.root, id);
    const status = statusOf(globals.root, record);
    checkStatus(status, options["ignore-paused"]);
    const spec = parseSpec(ops.readFile(`${globals.root}/${id}/config.json`, MAX_TEXT_BYTES));
    const wanted = wantedProcess(options, command, () => ownProcess(spec));
    const passed = passedDescriptors(options["preserve-fds"]);
    const process = {
      ...wanted,
      env: [...(wanted.env ?? []), ...passed.env],
      ...(options.apparmor === undefined ? {} : { apparmorProfile: options.apparmor }),
      ...(options["process-label"] === undefined ? {} : { selinuxLabel: options["process-label"] }),
    };
    const socket = options["console-socket"];
    checkExecTerminal(process.terminal === true, options.detach, socket);
    using container = openContainer(record);
    using root = record.hostMount === undefined ? undefined : openRoot(record, container);
    const seccomp = readSeccomp(globals.root, id);
    const warnings: string[] = [];
    const plan = compileExec(spec, process, readHostFacts(), {
      containerPidfd: CONTAINER,
      cgroups:
        options.cgroup.length === 0
          ? entryPlaces(record.cgroups, record.pid)
          : subCgroups(record.cgroups, options.cgroup),
      pass: passed.pass,
      warnings,
      rootless: globals.rootless,
      ...(root === undefined ? {} : { containerRoot: CONTAINER_ROOT }),
      ...(seccomp === undefined ? {} : { seccomp }),
    });
    warnings.forEach(warn);
    using signals = openForwarded();
    const stdio = process.terminal === true ? [] : [0, 1, 2].map((fd) => ({ from: fd, to: fd }));
    const launched = await launch(plan, {
      launchPath: sealedProgram(globals.launchPath),
      fds: [
        ...stdio,
        { from: container.number, to: CONTAINER },
        ...(root === undefined ? [] : [{ from: root.number, to: CONTAINER_ROOT }]),
        ...passed.fds,
      ],
      until: "exec",
      ...passListener(spec, () => containerState(record)),
      // In a paused container it stands still until that is resumed.
      timeoutMs: status === "paused" ? Number.POSITIVE_INFINITY : LAUNCH_TIMEOUT_MS,
    });
    await using undo = new Undo();
    undo.defer(() => killLaunched(launched));
    if (socket !== undefined && launched.console !== undefined) await sendConsole(socket, launched.console);
    if (options["pid-file"] !== undefined) writePidFile(options["pid-file"], launched.pid);
    undo.commit();
    return options.detach ? 0 : await waitInForeground(launched, signals);
  },
});

/** @throws KataError FailedPrecondition with runc's words */
function checkStatus(status: Status, ignorePaused: boolean): void {
  const refuse = (why: string) => new KataError("FailedPrecondition", why);
  if (status === "stopped") throw refuse("cannot exec in a stopped container");
  if (status === "paused" && !ignorePaused)
    throw refuse("cannot exec in a paused container (use --ignore-paused to override)");
}

function openContainer(record: ContainerRecord) {
  const process = openProcess(record);
  if (process !== undefined) return process;
  throw new KataError("FailedPrecondition", "cannot exec in a stopped container");
}

function containerState({ id, bundle, pid, annotations = {} }: ContainerRecord): State {
  return { ociVersion: OCI_VERSION, id, status: "running", pid, bundle, annotations };
}

/** The root of the process behind `container`, and of no later one with its pid. */
function openRoot({ pid }: ContainerRecord, container: Fd): Fd {
  const root = new Fd(ops.open(`/proc/${pid}/root`, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
  ops.pidfdSendSignal(container.number, 0);
  return root;
}

function ownProcess({ process }: Spec) {
  if (process !== undefined) return process;
  throw new KataError("InvalidArgument", "the container's config.json has no process");
}
