import { launch, type Step } from "@kata-containers/launch";
import { CLONE, deadline, type ExitStatus, Fd, KataError, MS, O, ops, SIG } from "@kata-containers/sys";
import { readLines } from "../lines.ts";
import { identityOf } from "../persist/process-identity.ts";
import type { ProcessIdentity } from "../persist/record.ts";
import type { Confinement } from "./confinement.ts";

/** A program that the daemon runs through kata-launch. */
export type ConfinedProgram = {
  /** For error texts: "QEMU". */
  readonly name: string;
  readonly path: string;
  readonly argv: readonly string[];
  /** Descriptors it inherits, `from` ours `to` its number (5 and up: 3 and 4 are kata-launch's). */
  readonly fds: readonly { readonly from: number; readonly to: number }[];
  /** A directory, itself a mount, that becomes its root. */
  readonly root: string;
  /** What it finds at /proc, a directory of its root: "processes", of which it is the only one, or "all" of proc(5), read-only. */
  readonly proc: "none" | "processes" | "all";
  /** Capabilities it keeps, a bit mask by capability(7) number. */
  readonly capabilities: number;
};

/** A confined program that runs: the daemon's child, killed when the daemon dies. */
export interface ConfinedProcess {
  readonly identity: ProcessIdentity;
  readonly ended: Promise<ExitStatus>;
  /** The last line of its stderr. */
  lastWords(): string;
  /** Sends SIGKILL and waits for the end. Without effect on one that has ended. */
  kill(): Promise<void>;
  /** Whether it ended within so many milliseconds. */
  endsWithin(ms: number): Promise<boolean>;
}

/**
 * Starts a program in the sandbox's cgroup and in namespaces of its own, without privileges beyond the listed ones, without a
 * name for any descriptor, and tied to this process's life.
 * @throws KataError naming the program and the step that failed.
 */
export async function spawnConfined(
  program: ConfinedProgram,
  confinement: Confinement,
): Promise<ConfinedProcess> {
  const [stderrRead = -1, stderrWrite = -1] = ops.pipe();
  using stderr = new Fd(stderrWrite);
  const lastLine = keepLastLine(stderrRead);
  try {
    const started = await launch(
      {
        sealed: false,
        parent: [],
        stage: CONFINED_STAGE,
        init: confinedSteps(program, confinement.cgroupProcs),
      },
      {
        launchPath: confinement.launchPath,
        until: "exec",
        fds: [{ from: stderr.number, to: 2 }, ...program.fds],
      },
    );
    return confinedProcess(started.pid, started.pidfd, lastLine);
  } catch (cause) {
    throw KataError.from(cause, `cannot start ${program.name}`);
  }
}

const EACCES = 13;

/**
 * The program's user is root's, without its capabilities: that is enough to signal and to trace every process of that user
 * that has none either, another sandbox's VMM first of all. So it sees no process but its own.
 */
export const CONFINED_STAGE: readonly Step[] = [
  { op: "unshare", flags: CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWUTS },
];

/** A parent outside of the pid namespace has this pid in it. */
const OUTSIDE = 0;

/** The steps of kata-launch for a confined program, the first process of its pid namespace. */
export function confinedSteps(program: ConfinedProgram, cgroupProcs: readonly string[]): Step[] {
  return [
    // The daemon is spared by the out-of-memory killer; what it starts is not.
    { op: "write", path: "/proc/self/oom_score_adj", text: "0", ignore: [EACCES] },
    // "0" is the writer itself.
    ...cgroupProcs.map((path): Step => ({ op: "write", path, text: "0" })),
    ...ownRoot(program),
    { op: "chdir", path: "/" },
    { op: "setsid" },
    { op: "bounding", keep: program.capabilities },
    {
      op: "capabilities",
      effective: program.capabilities,
      permitted: program.capabilities,
      inheritable: 0,
      ambient: 0,
    },
    { op: "no_new_privileges" },
    // After the last change of credentials, which would clear it.
    { op: "parent_death_signal", signal: SIG.SIGKILL, parent: OUTSIDE },
    { op: "close_others", keep: [], pass: program.fds.map((each) => each.to) },
    // Fails when the daemon died before it would have been told by the signal.
    { op: "ready" },
    { op: "exec", argv: program.argv, env: [], program: { path: program.path } },
  ];
}

function ownRoot({ root, proc }: ConfinedProgram): Step[] {
  return [
    { op: "unshare", flags: CLONE.NEWNS },
    // What the daemon mounts below a directory that it shares with it comes along; nothing goes the other way.
    { op: "propagation", path: "/", flags: MS.SLAVE | MS.REC },
    { op: "open", path: root, flags: O.PATH | O.DIRECTORY, as: "root" },
    ...(proc === "none" ? [] : [ownProc(proc === "processes" ? "subset=pid" : "")]),
    { op: "pivot_root", root: "root" },
  ];
}

/** Of the pid namespace that the step is in. */
function ownProc(data: string): Step {
  const flags = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC;
  return { op: "mount", fstype: "proc", source: "proc", flags, data, root: "root", target: "/proc" };
}

function confinedProcess(pid: number, pidfd: Fd, stderr: LastLine): ConfinedProcess {
  let over = false;
  const exited = ops.waitPidfd(pidfd.number).then((status) => {
    over = true;
    pidfd.close();
    return status;
  });
  const ended = Promise.all([exited, stderr.ended]).then(([status]) => status);
  return {
    identity: identityOf(pid) ?? { pid, startTime: 0 },
    ended,
    lastWords: stderr.line,
    async kill() {
      if (!over) ops.pidfdSendSignal(pidfd.number, SIG.SIGKILL);
      await ended;
    },
    endsWithin: (ms) =>
      deadline(
        ended.then(() => true),
        ms,
        () => new KataError("DeadlineExceeded", "still running"),
      ).catch(() => false),
  };
}

const MAX_LINE = 1 << 16;

/** The last line of a stream, and its end. */
type LastLine = { readonly line: () => string; readonly ended: Promise<void> };

/** Drains a pipe as long as it lasts and remembers the last line of it. */
function keepLastLine(fd: number): LastLine {
  let last = "";
  const source = { read: () => ops.read(fd, 4096) };
  const keep = (line: string): void => {
    last = line;
  };
  const ended = readLines(source, MAX_LINE, keep)
    .catch(() => {})
    .finally(() => ops.close(fd));
  return { line: () => last, ended };
}
