import { lookUp, refuse } from "./refuse.ts";

/** What a filter returns: an action in the high 16 bits, its datum in the low ones (linux/seccomp.h). */
export type Verdict = number;

export const KILL_THREAD: Verdict = 0;
export const NOTIFY: Verdict = 0x7fc00000;

const EPERM = 1;
const ENOSYS = 38;
/** The kernel cuts a filter's errno down to this (kernel/seccomp.c, MAX_ERRNO). */
const MAX_ERRNO = 4095;

const ERRNO = 0x00050000;
export const ERRNO_ENOSYS: Verdict = ERRNO | ENOSYS;

type Action = {
  readonly verdict: Verdict;
  /** Highest datum, for the actions that carry one. */
  readonly maxDatum?: number;
  /** Lets the call happen, or leaves that to a tracer: unknown calls need no ENOSYS then. */
  readonly permissive?: true;
};

const ACTIONS: Readonly<Record<string, Action>> = {
  SCMP_ACT_KILL: { verdict: KILL_THREAD },
  SCMP_ACT_KILL_PROCESS: { verdict: 0x80000000 },
  SCMP_ACT_KILL_THREAD: { verdict: KILL_THREAD },
  SCMP_ACT_TRAP: { verdict: 0x00030000 },
  SCMP_ACT_ERRNO: { verdict: ERRNO, maxDatum: MAX_ERRNO },
  SCMP_ACT_TRACE: { verdict: 0x7ff00000, maxDatum: 0xffff, permissive: true },
  SCMP_ACT_ALLOW: { verdict: 0x7fff0000, permissive: true },
  SCMP_ACT_LOG: { verdict: 0x7ffc0000, permissive: true },
  SCMP_ACT_NOTIFY: { verdict: NOTIFY },
};

/** An action of a profile: `path` names its member, `errnoPath` that of its errno (default EPERM, as the specification has it). */
export function parseAction(
  name: string,
  errno: number | undefined,
  path: string,
  errnoPath: string,
): Verdict {
  const { verdict, maxDatum } = lookUp(ACTIONS, name, path);
  if (maxDatum === undefined) {
    // "When the action doesn't support an errno, the runtime MUST print and error and fail."
    return errno === undefined ? verdict : refuse(errnoPath, `${name} takes no errno`);
  }
  const datum = errno ?? EPERM;
  if (!Number.isInteger(datum) || datum < 0 || datum > maxDatum) {
    refuse(errnoPath, `must be an integer from 0 to ${maxDatum}`);
  }
  return verdict | datum;
}

export function isPermissive(name: string): boolean {
  return ACTIONS[name]?.permissive === true;
}
