import { Fd, KataError, Logger, O, ops } from "@kata-containers/sys";
import { printable } from "./printable.ts";

/** Where errors are told besides standard error, and in whose name. */
export interface ErrorLog {
  /** The program's name. */
  readonly program: string;
  readonly log: string | undefined;
  readonly logFormat: "text" | "json";
}

/**
 * Makes the log file if it is not there. As runc: a command that could not tell its failure there does not begin.
 * @throws KataError when nothing can be appended to it
 */
export function checkLog({ log }: ErrorLog): void {
  if (log === undefined) return;
  try {
    openLog(log).close();
  } catch (error) {
    throw KataError.from(error, "cannot open the log");
  }
}

function openLog(path: string): Fd {
  return new Fd(ops.open(path, O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o640));
}

/**
 * Tells an error in one line on standard error, and in the log. containerd reads the last "error" line of a JSON log
 * (`level`, `msg`, `time`), podman standard error.
 */
export function reportError(log: ErrorLog, message: string): void {
  report(log, "error", message);
}

/** The same for what went wrong and changes nothing. */
export function reportWarning(log: ErrorLog, message: string): void {
  report(log, "warn", message);
}

/**
 * Passes on what the daemon warned of: into the log, or to standard error when there is none. Callers with a log take
 * standard error for a failure's.
 */
export function passOnWarning(errorLog: ErrorLog, message: string): void {
  if (errorLog.log === undefined) writeStderr(`${errorLog.program}: warning: ${oneLine(message)}\n`);
  else appendLog(errorLog, "warn", oneLine(message));
}

function report(errorLog: ErrorLog, level: "error" | "warn", message: string): void {
  const line = oneLine(message);
  writeStderr(`${errorLog.program}: ${level === "warn" ? "warning: " : ""}${line}\n`);
  appendLog(errorLog, level, line);
}

function appendLog({ program, log, logFormat }: ErrorLog, level: "error" | "warn", line: string): void {
  if (log === undefined) return;
  try {
    using file = openLog(log);
    const format = logFormat === "json" ? "json" : "logfmt";
    new Logger({ fd: file.number, format, name: program, source: "runtime" })[level](line);
  } catch (error) {
    writeStderr(`${program}: cannot write the log: ${error instanceof Error ? error.message : error}\n`);
  }
}

/** Characters of a line; an agent could send megabytes. */
const MAX_LINE = 4096;

/** Part of it may be the guest's words. */
function oneLine(message: string): string {
  const line = message.slice(0, MAX_LINE).replaceAll(/\s*\n\s*|\t/g, " ");
  return `${printable(line)}${message.length > MAX_LINE ? " …" : ""}`;
}

function writeStderr(text: string): void {
  try {
    ops.writeSync(2, ops.utf8Encode(text));
  } catch {
    // Nobody is left to tell; the exit status says it.
  }
}
