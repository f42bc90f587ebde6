import { basename, resolve } from "node:path";
import { beginAuditSession, sessionOf } from "./audit-session.ts";
import { isInUse, type Thing, thingsOnHost } from "./host-things.ts";
import { commandOf, isZombie, linkTarget, parentOf, pids } from "./leaks.ts";

/**
 * What is on the host after it that was not there before. A suite's own
 * check by names (leaks.ts) comes first, and says more; this one needs no name.
 *
 * Others work on the same host at the same time, and what is theirs must not fail a suite:
 * - A process is the suite's when it is in the suite's audit session, which it cannot leave. With it go the things that end with
 *   their last process: sockets, namespaces without a name, memory. Where the kernel has no audit, a process is the suite's when this
 *   one is an ancestor of it, or its program is one of this build and newer than the suite.
 * - Nobody knows whose a mount, a control group, a file or an interface is. It is another's when a process has it, for the suite's
 *   own have ended. Else it is the suite's; but while another test run or one of the programs is at work here outside of the
 *   suite's session, only when it bears the pid of this process, as the tests' names do. So a host on which the tests are alone, as CI's
 *   is, has the whole check.
 */
export class SuiteLeaks {
  readonly #session = beginAuditSession();
  readonly #things = thingsOnHost();
  readonly #processes = new Set(pids());
  #alone = true;

  /** To be called now and then: whoever comes and goes in between is not noticed. */
  lookForOthers(): void {
    this.#alone &&= !pids().some((pid) => isOther(pid) && !this.#isOurs(pid));
  }

  /** One line for each; what is still ending is among them. */
  find(): string[] {
    const processes = pids().filter((pid) => pid !== process.pid && this.#isOurs(pid) && !isZombie(pid));
    this.lookForOthers();
    const things = [...thingsOnHost()].filter(
      ([line, thing]) => !this.#things.has(line) && this.#isLeft(thing),
    );
    return [...processes.map((pid) => `process ${pid}: ${commandOf(pid)}`), ...things.map(([line]) => line)];
  }

  #isOurs(pid: number): boolean {
    if (this.#session !== undefined) return sessionOf(pid) === this.#session;
    if (this.#processes.has(pid)) return false;
    return ancestorsOf(pid).includes(process.pid) || linkTarget(`/proc/${pid}/exe`).startsWith(BUILD);
  }

  #isLeft(thing: Thing): boolean {
    if (!this.#alone && !MINE.test(thing.name)) return false;
    return !isInUse(thing);
  }
}

/** As the tests' names are, with the pid of this process. */
const MINE = new RegExp(`-${process.pid}(?!\\d)`);

const BUILD = `${resolve(import.meta.dirname, "../../build")}/`;

/** What makes things like ours: our programs, of whatever build, and tests. */
const PROGRAMS = /^(kata-.*|containerd-shim-kata-v2|runk|qemu-system-.*|virtiofsd|vitest(\.mjs)?)$/;

function isOther(pid: number): boolean {
  const words = commandOf(pid).split(" ").slice(0, 3);
  return (
    words.some((word) => PROGRAMS.test(basename(word))) &&
    !ancestorsOf(process.pid).includes(pid) &&
    pid !== process.pid
  );
}

function ancestorsOf(pid: number): number[] {
  const parent = parentOf(pid);
  return parent === 0 ? [] : [parent, ...ancestorsOf(parent)];
}
