import { readFileSync, writeFileSync } from "node:fs";

/** (u32)-1: nobody has logged in. */
const UNSET = "4294967295";

/**
 * Begins an audit session, as a login does: the kernel gives it a new number, which every process has that comes from this thread from now
 * on, whatever becomes of its environment, parents, namespaces, control groups and descriptors; the programs under test change all of
 * those. @returns the number; undefined: a kernel without audit, or one that keeps the session of the login.
 */
export function beginAuditSession(): string | undefined {
  const before = sessionOf("thread-self");
  try {
    writeFileSync("/proc/thread-self/loginuid", String(process.getuid?.() ?? 0));
  } catch {
    return undefined;
  }
  const session = sessionOf("thread-self");
  return session === before || session === UNSET ? undefined : session;
}

/** "" when the process is gone, or the kernel has no audit. */
export function sessionOf(pid: number | "thread-self"): string {
  try {
    return readFileSync(`/proc/${pid}/sessionid`, "utf8");
  } catch {
    return "";
  }
}
