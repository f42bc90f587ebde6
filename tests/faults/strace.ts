import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { calls } from "./calls.ts";
import type { Point, Scope } from "./point.ts";

export const strace = "/usr/bin/strace";

type CallFault = Extract<Point, { kind: "call" }>;

/** Arguments of strace that watch the calls of the table, or inject one fault. The log is made in any case. */
export function tracing(fault: CallFault | undefined, log: string): string[] {
  if (fault === undefined) {
    return [
      "-qq",
      "-o",
      log,
      "-e",
      "signal=none",
      "-e",
      `trace=${Object.keys(calls).map(optional).join(",")}`,
    ];
  }
  const { call, nth, effect } = fault;
  const what = effect === "SIGKILL" ? "signal=KILL" : `error=${effect}`;
  return ["-qq", "-o", log, "-e", `trace=${call}`, "-e", `inject=${call}:${what}:when=${nth}`];
}

/** Whether what the watched process starts is watched as well. */
export function following(scope: Scope): string[] {
  return scope === "tree" || scope === "all" ? ["-f"] : [];
}

/** Long enough for whoever watches the record to see a change before the next, on a busy machine. */
const RECORD_PAUSE_MS = 100;

/** Arguments of strace that hold whoever writes the record for a moment, right behind each rename that puts it in its place. */
export const holdingRecord: readonly string[] = [
  ...["-qq", "-o", "/dev/null", "-e", "signal=none"],
  ...["-e", "trace=renameat", "-e", `inject=renameat:delay_exit=${RECORD_PAUSE_MS * 1000}`],
];

/** strace(1): a call that this machine does not have is no error. */
const optional = (call: string) => `?${call}`;

/** A program under strace that stays our own child: the tracer is a detached grandchild, and ends with it. */
export function traced(
  program: string,
  args: readonly string[],
  options: readonly string[],
): [string, string[]] {
  return [strace, ["-DD", ...options, "--", program, ...args]];
}

/** Writes a program that runs another one under strace. */
export function writeTracedProgram(path: string, program: string, options: readonly string[]): string {
  const words = [strace, "-DD", ...options, "--", program].map((word) => `'${word}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Attaches to a process that runs; resolves when it is under watch. Its end, or that of the child, lets go. */
export async function attach(pid: number, options: readonly string[]): Promise<ChildProcess> {
  const quiet = options.filter((each) => each !== "-qq");
  const child = spawn(strace, ["-p", String(pid), ...quiet], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
      if (said.includes("attached")) resolve();
    });
    child.on("exit", () => reject(new Error(`strace -p ${pid}: ${said}`)));
  });
  return child;
}

/** How often each call of the table was made by the one process, of those in a log, that made the most of it. */
export function countCalls(log: string): Map<string, number> {
  const perProcess = new Map<string, number>();
  const most = new Map<string, number>();
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [, pid = "", call] = /^(?:(\d+) +)?(\w+)\(/.exec(line) ?? [];
    if (call === undefined || !(call in calls)) continue;
    const count = (perProcess.get(`${pid} ${call}`) ?? 0) + 1;
    perProcess.set(`${pid} ${call}`, count);
    most.set(call, Math.max(count, most.get(call) ?? 0));
  }
  return most;
}

/** Whether the fault has happened: a call may be made less often this time. */
export function wasInjected(log: string, effect: string): boolean {
  const trace = effect === "SIGKILL" ? /killed by SIGKILL/ : /INJECTED/;
  try {
    return trace.test(readFileSync(log, "utf8"));
  } catch {
    return false;
  }
}
