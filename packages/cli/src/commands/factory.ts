import { defineCommand } from "../define-command.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; factory/factory-command.ts does it. */
export const factoryRow = {
  name: "factory",
  summary: "make, show or remove what new virtual machines come from: a template, or a cache",
  description:
    "For enable_template of [factory]: init makes the template of the configuration anew, ahead of the first sandbox, which would make it otherwise. status tells " +
    "whether the next sandbox finds it (on) or makes it (off), and lists all templates in template_path: the current one, those of " +
    "other settings, and stale ones, which nobody will copy any more. destroy removes all of them; machines that are copies go on. " +
    "For vm_cache_number: init keeps as many virtual machines ready, and stays until SIGTERM, SIGINT or destroy; status lists those that wait.",
  args: [{ name: "ACTION", choices: ["init", "status", "destroy"], help: "init, status or destroy" }],
  options: {
    format: {
      short: "f",
      value: "FORMAT",
      choices: ["table", "json"],
      help: "of status: table (default) or json",
    },
  },
} as const;

export const factory = defineCommand({ ...factoryRow, run: inProgram("kata-host") });
