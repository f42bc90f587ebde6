import { findConfig, type KataConfig, readConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";

const ADVICE = "see docs/configure.md";

/** Reads the configuration and tells everything that is wrong in it. */
export function checkConfiguration(path: string | undefined): {
  readonly findings: Finding[];
  readonly config: KataConfig | undefined;
} {
  try {
    const { config, problems } = readConfig(findConfig(path));
    if (config === undefined)
      return { config, findings: problems.map((problem) => failure("configuration", problem, ADVICE)) };
    const count = config.dropIns.length;
    const dropIns =
      count === 0
        ? ""
        : ` with ${count === 1 ? "one drop-in" : `${count} drop-ins`}: ${config.dropIns.join(", ")}`;
    return { config, findings: [ok("configuration", `${config.path}${dropIns}`)] };
  } catch (error) {
    return { config: undefined, findings: [failure("configuration", KataError.from(error).message, ADVICE)] };
  }
}
