import { defineCommand } from "../define-command.ts";
import { containerId, containerOptions } from "./container-options.ts";
import { inProgram } from "./in-program.ts";
import { timingOptions } from "./timing-options.ts";

/** Its row of the command table; create/run-command.ts does it. */
export const runRow = {
  name: "run",
  summary: "create and start a container, wait for its end, and delete it",
  description:
    "Exits with the status of the container's process: 128 + N when signal N ended it, 127 when its command is not " +
    "found, 126 when it cannot be executed. Signals go to the container's process.",
  args: [{ ...containerId, help: "the new container's id: letters, digits, and _ + - ." }],
  options: {
    ...containerOptions,
    detach: { short: "d", help: "return when the container runs, and leave it running" },
    keep: { help: "leave the container there when it has ended" },
    "no-subreaper": { help: "reap no strangers, as always: the container's processes are the guest's" },
    ...timingOptions,
  },
} as const;

export const run = defineCommand({ ...runRow, run: inProgram("kata-create") });
