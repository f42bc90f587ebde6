import { defineCommand } from "../define-command.ts";
import { containerId, containerOptions } from "./container-options.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; create/create-command.ts does it. */
export const createRow = {
  name: "create",
  summary: "make a container that waits to be started",
  description:
    "Starts the sandbox's virtual machine and makes the container in it. Its process waits for `kata-runtime start`. " +
    "When anything fails, nothing is left behind.",
  args: [{ ...containerId, help: "the new container's id: letters, digits, and _ + - ." }],
  options: containerOptions,
} as const;

export const create = defineCommand({ ...createRow, run: inProgram("kata-create") });
