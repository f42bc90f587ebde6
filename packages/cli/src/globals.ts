import { DEFAULT_ROOT } from "@kata-containers/virtcontainers";
import type { Options, Values } from "./command.ts";
import { absolutePath } from "./paths.ts";
import type { ErrorLog } from "./report-error.ts";
import { needsRoot } from "./require-root.ts";
import { parseRootless, rootlessOption } from "./rootless-option.ts";

export const PROGRAM = "kata-runtime";

/** Options that stand before the command. */
export const globalOptions = {
  root: { value: "DIR", help: `where containers' state is kept (default ${DEFAULT_ROOT})` },
  log: { value: "FILE", help: "append errors to this file (they go to standard error as well)" },
  "log-format": { value: "FORMAT", choices: ["text", "json"], help: "of --log: text (default) or json" },
  config: {
    aliases: ["kata-config"],
    value: "FILE",
    help: "the configuration for new sandboxes, check, env and factory, instead of the default paths",
  },
  "systemd-cgroup": {
    help: "create, run: cgroups are in a systemd scope; linux.cgroupsPath is slice:prefix:name",
  },
  rootless: {
    ...rootlessOption,
    help: "auto (default) or false: only root can run virtual machines; true is refused",
  },
  criu: { value: "FILE", help: "without effect, for callers of runc: there is no checkpoint" },
  debug: { help: "log everything, and keep the daemon's log in the state directory" },
  version: { short: "v", help: "print the version" },
  help: { short: "h", help: "print this help" },
} as const satisfies Options;

/** What every command gets. */
export interface Globals extends ErrorLog {
  /** Absolute. */
  readonly root: string;
  /** Absolute; undefined: the default paths. */
  readonly config: string | undefined;
  readonly debug: boolean;
  readonly systemdCgroup: boolean;
}

export function readLogOptions(options: Values<typeof globalOptions>): ErrorLog {
  return {
    program: PROGRAM,
    log: options.log,
    logFormat: options["log-format"] === "json" ? "json" : "text",
  };
}

/** @throws KataError Unimplemented for what cannot work */
export function readGlobals(options: Values<typeof globalOptions>): Globals {
  if (parseRootless(options.rootless) === true) throw needsRoot("Unimplemented", "--rootless true");
  return {
    ...readLogOptions(options),
    root: absolutePath(options.root ?? DEFAULT_ROOT),
    config: options.config === undefined ? undefined : absolutePath(options.config),
    debug: options.debug,
    systemdCgroup: options["systemd-cgroup"],
  };
}
