import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";
import { inProgram } from "./in-program.ts";
import { guestLimitOptions, refusedOptions, resourcesOption } from "./update-options.ts";

/** Its row of the command table; create/update-command.ts does it. */
export const updateRow = {
  name: "update",
  summary: "change the limits of a container",
  description:
    "The limits hold in the guest. The VM grows to what they ask for; what it cannot grow to is refused, and the limit " +
    "stays as it was. What is not given, or 0, stays as it is.",
  args: [containerId],
  options: { ...resourcesOption, ...guestLimitOptions, ...refusedOptions },
} as const;

export const update = defineCommand({ ...updateRow, run: inProgram("kata-create") });
