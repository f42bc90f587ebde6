import { lookUp, refuse } from "./refuse.ts";

const NEW_LISTENER = 1 << 3;
const SPEC_ALLOW = 1 << 2;
const WAIT_KILLABLE_RECV = 1 << 5;

/** Flags of seccomp(2), linux/seccomp.h. */
const FLAGS: Readonly<Record<string, number>> = {
  // For threads that exist already: kata-launch has one, and runc takes it as said too.
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: WAIT_KILLABLE_RECV,
};

/** The flags of seccomp(2): those of the profile, SPEC_ALLOW when it names none (as runc has it), NEW_LISTENER for a notifier. */
export function parseFlags(names: readonly string[] | undefined, notify: boolean): number {
  let flags = names === undefined ? SPEC_ALLOW : 0;
  for (const [at, name] of (names ?? []).entries()) {
    const flag = lookUp(FLAGS, name, `.flags[${at}]`);
    if (flag === WAIT_KILLABLE_RECV && !notify) {
      refuse(`.flags[${at}]`, "needs a rule with SCMP_ACT_NOTIFY"); // the kernel would say EINVAL
    }
    flags |= flag;
  }
  return notify ? flags | NEW_LISTENER : flags;
}
