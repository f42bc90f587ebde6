import { defineCommand } from "../define-command.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; env/env-command.ts does it. */
export const envRow = {
  name: "env",
  aliases: ["kata-env"],
  summary: "print versions, the configuration in effect and facts of the host",
  description: "Prints TOML, by upstream's names. What could not be found out is <<unknown>>.",
  args: [],
  anyUser: true,
  options: { json: { help: "print JSON" } },
} as const;

export const env = defineCommand({ ...envRow, run: inProgram("kata-host") });
