import {
  ERRNO,
  Fd,
  isSysError,
  KataError,
  ops,
  SIG,
  SOCK,
  type SpawnFd,
  type StatusName,
  signalIfAlive,
  Undo,
} from "@kata-containers/sys";
import { describeStep } from "./describe-step.ts";
import type { LaunchPlan, Step, StepList } from "./plan.ts";
import { whereabouts } from "./whereabouts.ts";

export type LaunchOptions = {
  /** Path of kata-launch. */
  readonly launchPath: string;
  /** Descriptors of the process: 0 to 2, and from 5 up those that the plan names. 3 and 4 are ours. */
  readonly fds: readonly SpawnFd[];
  /**
   * What to wait for. "ready": the process waits for its start byte. "exec": the program runs, so that an error of execve itself
   * is reported too.
   */
  readonly until: "ready" | "exec";
  /** For a plan without a stage: PR_SET_PDEATHSIG is the plan's business, these are the spawner's. */
  readonly setsid?: boolean;
  /** Milliseconds until the process must be as far as `until` says; Infinity: no limit. Default {@link LAUNCH_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  /** Does what the plan asks for (step `ask`) about the process that asks, with this pid. What it throws ends the launch. */
  readonly answer?: (what: string, pid: number) => Promise<void>;
  /**
   * Hands the listener of the process's seccomp filter on, which may answer for calls of the process from now on. `pid` is the
   * process's. What it throws ends the launch. Default: refused.
   */
  readonly listener?: (fd: Fd, pid: number) => Promise<void>;
};

/** Ten times what the slowest emulated guest takes: a container's own FIFO or file system may hold a step up for ever. */
export const LAUNCH_TIMEOUT_MS = 60_000;

/** A process that has been launched; it is a child of ours, to be waited for by its pidfd. */
export type Launched = {
  readonly pid: number;
  readonly pidfd: Fd;
  /** The terminal's master, for a process with one. */
  readonly console?: Fd;
};

/** The program cannot be run; `exitStatus` is what shells and `docker run` say then. */
export class ProcessError extends KataError {
  readonly exitStatus: 126 | 127;

  constructor(code: StatusName, message: string, exitStatus: 126 | 127) {
    super(code, message);
    this.exitStatus = exitStatus;
  }
}

/** Messages of kata-launch are small. */
const MAX_MESSAGE = 16_384;

/**
 * Spawns kata-launch with a plan and waits until the process is as far as `until` says.
 *
 * @throws ProcessError when the program is not found or cannot be executed.
 * @throws KataError DeadlineExceeded, or naming the step that failed: "init step 12 (mount proc on /proc): EPERM (operation not permitted)". Nothing is
 * left running then; cgroups that the plan made are the caller's to remove.
 */
export async function launch(plan: LaunchPlan, options: LaunchOptions): Promise<Launched> {
  await using undo = new Undo();
  const planFd = undo.use(writePlan(plan));
  const [ours, theirs] = ops.socketpair(SOCK.SEQPACKET);
  if (ours === undefined || theirs === undefined) throw new KataError("Internal", "socketpair gave no pair");
  const control = undo.use(new Fd(ours));
  const remote = undo.use(new Fd(theirs));
  const spawned = ops.spawn({
    path: options.launchPath,
    argv: ["kata-launch"],
    env: [],
    fds: [...options.fds, { from: planFd.number, to: 3 }, { from: remote.number, to: 4 }],
    // S ends with us at once; what it has made by then is in the plan. I finds nobody to report to, and ends too.
    ...(plan.stage.length > 0 ? { parentDeathSignal: SIG.SIGKILL } : {}),
    ...(options.setsid === undefined ? {} : { setsid: options.setsid }),
  });
  remote.close();
  const first = undo.use(new Fd(spawned.pidfd));
  const staged = plan.stage.length > 0;
  const progress: Progress = { children: [first] };
  const timer = startTimer(options.timeoutMs ?? LAUNCH_TIMEOUT_MS, (ms) => {
    const pids = staged ? [spawned.pid, progress.process?.pid] : [spawned.pid];
    const where = pids.flatMap((pid) => (pid === undefined ? [] : whereabouts(pid))).join(", ");
    const late = `kata-launch did not get ready within ${ms} ms`;
    progress.failure ??= new KataError("DeadlineExceeded", where === "" ? late : `${late}: ${where}`);
    progress.children.forEach(kill);
    ops.cancel(control.number);
  });
  undo.defer(() => clearTimeout(timer));
  try {
    await follow(control, plan, options, undo, progress, spawned.pid);
  } catch (error) {
    progress.failure ??= KataError.from(error, "kata-launch");
    progress.children.forEach(kill);
  }
  clearTimeout(timer);
  if (staged) await ops.waitPidfd(first.number);
  const process = staged ? progress.process : { pid: spawned.pid, pidfd: first };
  if (progress.failure === undefined && process !== undefined) {
    undo.commit();
    for (const fd of [planFd, control, ...(staged ? [first] : [])]) fd.close();
    return { ...process, ...(progress.console === undefined ? {} : { console: progress.console }) };
  }
  if (process !== undefined) await ops.waitPidfd(process.pidfd.number);
  throw progress.failure ?? new KataError("Internal", "kata-launch ended without a process");
}

/** @returns undefined when there is no limit */
function startTimer(ms: number, late: (ms: number) => void): ReturnType<typeof setTimeout> | undefined {
  return Number.isFinite(ms) ? setTimeout(() => late(ms), ms) : undefined;
}

function kill(pidfd: Fd): void {
  signalIfAlive(pidfd.number, SIG.SIGKILL);
}

function writePlan(plan: LaunchPlan): Fd {
  const fd = new Fd(ops.memfd("plan", false));
  ops.writeSync(fd.number, ops.utf8Encode(JSON.stringify(plan)));
  ops.lseek(fd.number, 0, 0);
  return fd;
}

type Progress = {
  /** What has been started so far; all of it is killed when the launch fails. */
  readonly children: Fd[];
  process?: { readonly pid: number; readonly pidfd: Fd };
  console?: Fd;
  failure?: KataError;
};

type Message = {
  readonly pid?: number;
  readonly fd?: string;
  readonly ready?: boolean;
  readonly ask?: string;
  readonly error?: StepError;
};

type StepError = {
  readonly list: StepList | "start";
  readonly index: number;
  /** The step's operation, as the plan has it. */
  readonly op: string;
  readonly errno: number;
  readonly detail: string | null;
};

/** Reads the control socket until the process is far enough, or has failed. Descriptors that come are released by `undo`. */
async function follow(
  control: Fd,
  plan: LaunchPlan,
  { until, answer, listener }: LaunchOptions,
  undo: Undo,
  progress: Progress,
  stagePid: number,
): Promise<void> {
  let ready = false;
  let asked: string | undefined;
  let notifier: Fd | undefined;
  while (true) {
    const { data, fds } = await receive(control);
    const taken = fds.map((fd) => undo.use(new Fd(fd)));
    if (data.length === 0) break;
    const message = parseMessage(data, progress);
    const [fd] = taken;
    if (message.error !== undefined) progress.failure ??= failureOf(message.error, plan);
    if (message.pid !== undefined && fd !== undefined) {
      progress.process = { pid: message.pid, pidfd: fd };
      progress.children.push(fd);
    }
    if (message.fd === "console" && fd !== undefined) progress.console = fd;
    if (message.fd === "seccomp" && fd !== undefined) notifier = fd;
    if (message.ready === true) ready = true;
    if (message.ask !== undefined) asked = message.ask;
    // Who fails ends by itself; what is beside it may wait for ever.
    if (progress.failure !== undefined) progress.children.forEach(kill);
    // Init may ask before S has told us of it; S itself asks before there is an init.
    const asker = plan.stage.some((step) => isAskFor(step, asked)) ? stagePid : progress.process?.pid;
    if (asked !== undefined && asker !== undefined && progress.failure === undefined) {
      await answer?.(asked, asker);
      asked = undefined;
      ops.writeSync(control.number, Uint8Array.of(0));
    }
    if (notifier !== undefined && progress.process !== undefined && progress.failure === undefined) {
      if (listener === undefined) throw new KataError("Internal", "nobody takes the seccomp listener");
      await listener(notifier, progress.process.pid);
      notifier.close();
      notifier = undefined;
    }
    const known = progress.process !== undefined || plan.stage.length === 0;
    if (ready && known && until === "ready") return;
  }
  const endedEarly = plan.stage.length > 0 && !ready;
  if (endedEarly)
    progress.failure ??= new KataError("Internal", "kata-launch ended before the process was ready");
}

function isAskFor(step: Step, what: string | undefined): boolean {
  return step.op === "ask" && step.what === what;
}

/** A message of our own program: its shape is that of crates/launch/src/control.rs. What is none is a failure, and says nothing. */
function parseMessage(data: Uint8Array, progress: Progress): Message {
  try {
    return JSON.parse(ops.utf8Decode(data));
  } catch (error) {
    progress.failure ??= KataError.from(error, "kata-launch sent what is no message");
    return {};
  }
}

async function receive(control: Fd): Promise<{ data: Uint8Array; fds: number[] }> {
  try {
    return await ops.recvFds(control.number, MAX_MESSAGE);
  } catch (error) {
    // Its end of the socket went with unread bytes of ours: an end like any other. ECANCELED: the time is over.
    if (isSysError(error, "ECONNRESET", "ECANCELED")) return { data: new Uint8Array(), fds: [] };
    throw error;
  }
}

function failureOf(error: StepError, plan: LaunchPlan): KataError {
  const { code, text } = errnoName(error.errno);
  const detail = error.detail ?? "";
  if (error.list === "start")
    return new KataError("Internal", `kata-launch: ${detail || "start"}: ${code} (${text})`);
  const step: Step | undefined = plan[error.list][error.index];
  if (step?.op === "hook") return failureInWords(error);
  if (step === undefined)
    return new KataError("Internal", `${error.list} step ${error.index}: ${code} (${text})`);
  return (
    programFailure(step, code, text) ??
    new KataError(
      statusOf(code),
      `${error.list} step ${error.index + 1} (${describeStep(step)})${detail === "" ? "" : `: ${detail}`}: ${code} (${text})`,
    )
  );
}

/** A failure without the plan at hand. errno 0: a hook ran, and its detail says how it ended. */
function failureInWords({ list, index, op, errno, detail }: StepError): KataError {
  const { code, text } = errnoName(errno);
  if (op === "exec") return new KataError("PermissionDenied", `exec ${detail ?? ""}: ${text}`);
  // A hook's detail says which hook it was.
  const step = op === "hook" ? [] : [`${list} step ${index + 1} (${op.replaceAll("_", " ")})`];
  const what = [...step, ...(detail === null ? [] : [detail])].join(": ");
  return new KataError("Internal", errno === 0 ? what : `${what}: ${code} (${text})`);
}

/**
 * What a process has written to the descriptor of the step `report_to` by the end of that: undefined when its program runs, or it has
 * ended without a word.
 */
export function readReport(text: string): KataError | undefined {
  if (text === "") return undefined;
  // Our own program's, as in parseMessage.
  const { error }: Message = JSON.parse(text);
  return error === undefined ? undefined : failureInWords(error);
}

/** The texts of Go's exec package and of runc, by which docker, podman and containerd tell 127 and 126 from other failures. */
function programFailure(step: Step, code: string, text: string): KataError | undefined {
  const status =
    code === "ENOENT" || code === "ENOTDIR" ? ("NotFound" as const) : ("PermissionDenied" as const);
  const exitStatus = status === "NotFound" ? 127 : 126;
  if (step.op === "find_executable") {
    const where = step.file.includes("/")
      ? `stat ${step.file}: ${text}`
      : "executable file not found in $PATH";
    const why = status === "NotFound" ? where : text;
    return new ProcessError(status, `exec: ${JSON.stringify(step.file)}: ${why}`, exitStatus);
  }
  if (step.op === "exec") return new ProcessError(status, `exec ${step.argv[0] ?? ""}: ${text}`, exitStatus);
  if (step.op === "chdir") {
    return new KataError(
      "InvalidArgument",
      `chdir to cwd (${JSON.stringify(step.path)}) set in config.json failed: ${text}`,
    );
  }
  return undefined;
}

function errnoName(errno: number): { code: string; text: string } {
  const entry = Object.entries(ERRNO).find(([, [number]]) => number === errno);
  return entry === undefined
    ? { code: `errno ${errno}`, text: "unknown" }
    : { code: entry[0], text: entry[1][1] };
}

function statusOf(code: string): StatusName {
  if (code === "ENOENT") return "NotFound";
  return code === "EPERM" || code === "EACCES" ? "PermissionDenied" : "Internal";
}
