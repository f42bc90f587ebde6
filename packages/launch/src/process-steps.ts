import type { Process } from "@kata-containers/oci";
import { RLIMIT } from "@kata-containers/sys";
import { capabilityMasks, type Grantable } from "./capabilities.ts";
import type { FdRef, SeccompStep, Step } from "./plan.ts";
import { invalid } from "./refuse.ts";
import { schedulingSteps } from "./scheduling.ts";

export type ProcessContext = {
  readonly grantable: Grantable;
  /** Takes one line each. */
  readonly warnings: string[];
  /** The descriptor whose byte starts the process; absent: it starts at once. */
  readonly startFd?: FdRef;
  /** Whoever starts the process reads there what fails from then on, and the end once the program runs. */
  readonly startedFd?: FdRef;
  /** The startContainer hooks. */
  readonly startHooks?: readonly Step[];
  /** Inherited descriptors, higher than 2 + their count, that become the process's 3, 4, … */
  readonly pass: readonly number[];
  readonly seccomp?: SeccompStep;
  /** The execution domain's step. */
  readonly personality: readonly Step[];
  /** Else there are no further groups, and none can be dropped. */
  readonly hasSetgroups: boolean;
};

const EPERM = 1;
const EACCES = 13;

/** The default of execvp(3)'s search, when the process has no PATH. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Before the namespaces: rights and files that a user namespace takes away. Nobody in one may raise a hard limit (setrlimit(2):
 * CAP_SYS_RESOURCE of the first).
 */
export function earlySteps(process: Process, inUserNamespace: boolean): Step[] {
  const { oomScoreAdj } = process;
  const hardLimits = inUserNamespace ? rlimits(process) : [];
  return [
    ...hardLimits.map(({ resource, hard }): Step => ({ op: "raise_rlimit", resource, hard })),
    ...(oomScoreAdj === undefined
      ? []
      : [{ op: "write", path: "/proc/self/oom_score_adj", text: `${oomScoreAdj}`, proc: true } as const]),
  ];
}

/** A process's terminal, made in the devpts of `root`; none: its stdio is what it inherits. */
export function terminalSteps(process: Process, root: FdRef, bindConsole: boolean): Step[] {
  if (process.terminal !== true) return [];
  const { user, consoleSize } = process;
  return [
    {
      op: "console",
      root,
      bindConsole,
      uid: user?.uid ?? 0,
      ...(consoleSize === undefined ? {} : { rows: consoleSize.height, columns: consoleSize.width }),
    },
    { op: "controlling_terminal" },
  ];
}

/** From the container's root to its program: who the process is, what it may, and the program. In runc's order. */
export function processSteps(process: Process, context: ProcessContext): Step[] {
  const { uid = 0, gid = 0, additionalGids, umask } = process.user ?? {};
  const { bounding, ...sets } = capabilityMasks(process.capabilities, context.grantable, context.warnings);
  const { pass } = context;
  const keep = [context.startFd, context.startedFd, ...pass].filter((fd) => fd !== undefined);
  const [file = ""] = process.args ?? [];
  const env = process.env ?? [];
  // docker names a group twice; the kernel would keep both.
  const groups =
    !context.hasSetgroups && !additionalGids?.length ? {} : { groups: [...new Set(additionalGids ?? [])] };
  const filter = context.seccomp === undefined ? [] : [context.seccomp];
  // As late as it may be, for the filter holds for our own steps too. Without no_new_privs it takes a right that
  // `user` and `capabilities` drop. A listener is handed over by the spawner, who is there until `ready` only.
  const isEarly = process.noNewPrivileges !== true;
  const hasListener = context.seccomp?.listener === true;
  const [early, late, last] = isEarly ? [filter, [], []] : hasListener ? [[], filter, []] : [[], [], filter];
  return [
    ...context.personality,
    ...schedulingSteps(process),
    { op: "umask", mask: umask ?? 0o022 },
    ...(process.terminal === true ? [] : [{ op: "chown_stdio", uid } as const]),
    { op: "home", uid },
    ...(process.noNewPrivileges === true ? [{ op: "no_new_privileges" } as const] : []),
    { op: "close_others", keep, pass: [] },
    // After the last step that opens a file or needs memory, which few of either must not hinder.
    ...rlimits(process).map((limit): Step => ({ op: "rlimit", ...limit })),
    // First with our rights, as the user may not be able to enter its own working directory; what we are refused, the user may
    // be allowed (a volume of its own on NFS), who is asked when the change of user has taken our rights (as runc). Before an
    // early filter, which need not allow it.
    { op: "chdir", path: process.cwd, ignore: [EPERM, EACCES] },
    ...early,
    { op: "bounding", keep: bounding },
    { op: "user", uid, gid, ...groups, keepCapabilities: true },
    { op: "chdir", path: process.cwd, ifNotYet: true },
    { op: "capabilities", ...sets },
    { op: "find_executable", file, path: pathOf(env) },
    ...late,
    { op: "ready" },
    ...(context.startedFd === undefined ? [] : [{ op: "report_to", fd: context.startedFd } as const]),
    ...(context.startFd === undefined ? [] : [{ op: "wait", fd: context.startFd } as const]),
    ...(pass.length === 0 ? [] : [{ op: "pass_fds", fds: pass } as const]),
    ...last,
    // Programs of the container's file system, so under its filter.
    ...(context.startHooks ?? []),
    { op: "exec", argv: process.args ?? [], env, program: "found" },
  ];
}

type Limit = { readonly resource: number; readonly soft: number; readonly hard: number };

function rlimits(process: Process): Limit[] {
  return (process.rlimits ?? []).map(({ type, soft, hard }, index) => {
    const entry = Object.entries(RLIMIT).find(([name]) => name === type);
    if (entry === undefined)
      invalid(`process.rlimits[${index}].type`, `unknown limit ${JSON.stringify(type)}`);
    return { resource: entry[1], soft, hard };
  });
}

function pathOf(env: readonly string[]): string {
  const entry = env.findLast((variable) => variable.startsWith("PATH="));
  return entry === undefined ? DEFAULT_PATH : entry.slice("PATH=".length);
}
