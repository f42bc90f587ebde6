import { defineCommand } from "../define-command.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; env/spec-command.ts does it. */
export const specRow = {
  name: "spec",
  summary: "write an example config.json",
  description:
    "For a bundle with a root file system in `rootfs`: a shell on a terminal. A file that is there is left alone.",
  args: [],
  anyUser: true,
  options: {
    bundle: { short: "b", value: "DIR", help: "the bundle to write it in (default: the current directory)" },
    rootless: { help: "refused: a sandbox needs root on the host" },
  },
} as const;

export const spec = defineCommand({ ...specRow, run: inProgram("kata-host") });
