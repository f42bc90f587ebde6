import { ops } from "./ops.ts";

/** Log levels, least urgent first. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LoggerOptions {
  /** Where lines go; -1: nowhere. */
  readonly fd: number;
  /** logfmt by default. */
  readonly format?: "logfmt" | "json";
  /** Lines below it are dropped; "info" by default. */
  readonly level?: Level;
  /** The program. */
  readonly name: string;
  /** The package, e.g. "virtcontainers". */
  readonly source?: string;
  readonly subsystem?: string;
  readonly sandbox?: string;
  readonly container?: string;
  /** Also told of each warning's message, whatever the level: for callers who do not see the log. */
  readonly onWarning?: (message: string) => void;
  /** Told the size of each line that was written. */
  readonly onWritten?: (bytes: number) => void;
}

/**
 * Writes one line an event, with upstream's fields: time, level, msg, name, pid, source, subsystem, sandbox, container.
 * A line that cannot be written is dropped: logging never fails its caller. Secrets are the caller's to keep out.
 */
export class Logger {
  readonly #options: LoggerOptions;
  readonly #fields: LogFields;

  constructor(options: LoggerOptions, fields: LogFields = {}) {
    this.#options = options;
    this.#fields = fields;
  }

  /** A logger whose lines carry more. */
  child(
    more: LogFields & { source?: string; subsystem?: string; sandbox?: string; container?: string },
  ): Logger {
    return new Logger(this.#options, { ...this.#fields, ...more });
  }

  debug(message: string, fields?: LogFields): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#options.onWarning?.(message);
    this.#write("warning", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  #write(level: Level, msg: string, fields?: LogFields): void {
    const {
      fd,
      format = "logfmt",
      level: least = "info",
      level: _,
      fd: __,
      format: ___,
      onWarning: ____,
      onWritten,
      ...own
    } = this.#options;
    if (fd < 0 || LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    const time = new Date(ops.realtimeMs()).toISOString();
    const line = { time, level, msg, pid: ops.getpid(), ...own, ...this.#fields, ...fields };
    const text = format === "json" ? JSON.stringify(line) : logfmt(line);
    try {
      const bytes = ops.utf8Encode(`${text}\n`);
      ops.writeSync(fd, bytes);
      onWritten?.(bytes.length);
    } catch {
      // Nobody is left to tell.
    }
  }
}

/** `key=value` pairs; a value with anything but plain characters is quoted as JSON quotes it. */
export function logfmt(fields: LogFields): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    parts.push(`${key}=${/^[\w./:@%+,-]+$/.test(text) ? text : JSON.stringify(text)}`);
  }
  return parts.join(" ");
}
