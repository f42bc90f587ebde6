import { defineCommand } from "../define-command.ts";
import { inProgram } from "./in-program.ts";

/** Its row of the command table; env/features-command.ts does it. */
export const featuresRow = {
  name: "features",
  summary: "print what this build can do as JSON",
  description: "The structure of the OCI runtime specification (features.md).",
  args: [],
  anyUser: true,
  options: {},
} as const;

export const features = defineCommand({ ...featuresRow, run: inProgram("kata-host") });
