import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";
import { inProgram } from "./in-program.ts";
import { processOptions, refusedProcessOptions } from "./process-options.ts";

const execOptions = {
  ...processOptions,
  ...refusedProcessOptions,
  detach: { short: "d", help: "return when the process runs" },
  "pid-file": { value: "FILE", help: "write the pid of the process that stands for it (kata-shim) there" },
  "console-socket": { value: "SOCKET", help: "unix socket that gets the terminal's master descriptor" },
  "ignore-paused": { help: "also in a paused container: the process runs when it is resumed" },
} as const;

/** Its row of the command table; create/exec-command.ts does it. */
export const execRow = {
  name: "exec",
  summary: "run another process in a container",
  description:
    "Exits with the status of the process: 128 + N when signal N ended it, 127 when its command is not found, 126 when " +
    "it cannot be executed. What is not given is as in the container's own process.",
  args: [containerId, { name: "COMMAND", optional: true, rest: true, help: "the command and its arguments" }],
  options: execOptions,
} as const;

export const exec = defineCommand({ ...execRow, run: inProgram("kata-create") });
