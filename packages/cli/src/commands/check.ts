import { defineCommand } from "../define-command.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; check/check-command.ts does it. */
export const checkRow = {
  name: "check",
  aliases: ["kata-check"],
  summary: "tell whether this host can run containers, and what to do if not",
  description:
    "Looks at everything that a container needs: one line for each thing, ok, warning or failure, and what to do. " +
    "Exits with 1 when there is a failure. Nothing is asked over the network, and nothing is left behind.",
  args: [],
  anyUser: true,
  options: {
    json: { help: "print JSON" },
    strict: { short: "s", help: "exit with 1 when there is a warning, too" },
    "no-network-checks": { short: "n", help: "for upstream's scripts: there are no network checks anyway" },
  },
} as const;

export const check = defineCommand({ ...checkRow, run: inProgram("kata-host") });
