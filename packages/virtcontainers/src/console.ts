import { type Logger, ops, SOCK } from "@kata-containers/sys";
import { readLines } from "./lines.ts";

/** The guest's console: quiet, unless its kernel dies. */
export type Console = {
  /** The VMM's end; to be closed here when it has it. */
  readonly vmmFd: number;
  /** The line in which the guest's kernel said why it died; "" when it did not. */
  panic(): string;
  lastLine(): string;
  /** Resolves when the VMM has closed its end, and every line was seen. */
  readonly ended: Promise<void>;
};

const MAX_LINE = 1 << 16;

/** @param log gets every line */
export function openConsole(log: Logger | undefined): Console {
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  const guest = log?.child({ subsystem: "console" });
  let panic = "";
  let last = "";
  const keep = (line: string): void => {
    last = withoutTime(line);
    if (panic === "" && last.startsWith("Kernel panic")) panic = last;
    guest?.debug(last);
  };
  const ended = readLines({ read: () => ops.read(ours, 4096) }, MAX_LINE, keep)
    .catch(() => {})
    .finally(() => ops.close(ours));
  return { vmmFd: theirs, panic: () => panic, lastLine: () => last, ended };
}

/** Without printk's time stamp. */
function withoutTime(line: string): string {
  return line.replace(/^\[ *\d+\.\d+\] /, "");
}
