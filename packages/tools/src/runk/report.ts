import { Fd, Logger, O, ops } from "@kata-containers/sys";
import type { Arguments } from "./arguments.ts";

let file: Logger | undefined;

/** Sends log lines to --log too, which managers read for the reason of a failure. */
export function openLog(args: Arguments): void {
  const path = args.value("log");
  if (path === undefined) return;
  const fd = new Fd(ops.open(path, O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o644));
  const format = args.value("log-format") === "json" ? "json" : "logfmt";
  file = new Logger({ fd: fd.release(), name: "runk", format, level: args.flag("debug") ? "debug" : "info" });
}

/** As runc: to the log file when there is one, and on stderr in any case. */
export function fail(message: string): void {
  file?.error(message);
  terminal().error(message);
}

export function warn(message: string): void {
  (file ?? terminal()).warn(message);
}

export function print(text: string): void {
  ops.writeSync(1, ops.utf8Encode(text));
}

function terminal(): Logger {
  return new Logger({ fd: 2, name: "runk" });
}
