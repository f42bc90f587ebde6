import type { Values } from "@kata-containers/cli";
import { Fd, Logger, O, ops } from "@kata-containers/sys";
import type { globalOptions } from "./globals.ts";

let file: Logger | undefined;

/** Sends log lines to --log too, which managers read for the reason of a failure. */
export function openLog(options: Values<typeof globalOptions>): void {
  const { log, debug } = options;
  if (log === undefined) return;
  const fd = new Fd(ops.open(log, O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o644));
  const format = options["log-format"] === "json" ? "json" : "logfmt";
  file = new Logger({ fd: fd.release(), name: "runk", format, level: debug ? "debug" : "info" });
}

/** As runc: to the log file when there is one, and on stderr in any case. */
export function fail(message: string): void {
  file?.error(message);
  terminal().error(message);
}

export function warn(message: string): void {
  (file ?? terminal()).warn(message);
}

function terminal(): Logger {
  return new Logger({ fd: 2, name: "runk" });
}
