import { Fd, Logger, O, ops } from "@kata-containers/sys";

/** Where errors are told besides standard error. */
export interface ErrorLog {
  readonly log: string | undefined;
  readonly logFormat: "text" | "json";
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

function report({ log, logFormat }: ErrorLog, level: "error" | "warn", message: string): void {
  const line = message.replaceAll(/\s*\n\s*/g, " ");
  writeStderr(`kata-runtime: ${level === "warn" ? "warning: " : ""}${line}\n`);
  if (log === undefined) return;
  try {
    using file = new Fd(ops.open(log, O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o640));
    const format = logFormat === "json" ? "json" : "logfmt";
    new Logger({ fd: file.number, format, name: "kata-runtime", source: "runtime" })[level](line);
  } catch (error) {
    writeStderr(`kata-runtime: cannot write the log: ${error instanceof Error ? error.message : error}\n`);
  }
}

function writeStderr(text: string): void {
  try {
    ops.writeSync(2, ops.utf8Encode(text));
  } catch {
    // Nobody is left to tell; the exit status says it.
  }
}
