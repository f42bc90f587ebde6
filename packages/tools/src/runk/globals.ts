import { absolutePath, type Options, parseRootless, rootlessOption, type Values } from "@kata-containers/cli";
import { isInUserNamespace } from "@kata-containers/launch";
import { environment, exists, ops } from "@kata-containers/sys";

const DEFAULT_ROOT = "/run/runk";

/** Options before the command, as runc's. */
export const globalOptions = {
  root: {
    value: "DIR",
    help: `where containers' state is kept (default ${DEFAULT_ROOT}; rootless: $XDG_RUNTIME_DIR/runk)`,
  },
  log: { value: "FILE", help: "append errors to this file (they go to standard error as well)" },
  "log-format": { value: "FORMAT", choices: ["text", "json"], help: "of --log: text (default) or json" },
  debug: { help: "log everything" },
  "systemd-cgroup": {
    help: "create, run: cgroups are systemd scopes; linux.cgroupsPath is slice:prefix:name",
  },
  rootless: {
    ...rootlessOption,
    help: "do without cgroups that may not be made: true, false, or auto (default: unless we are the host's root)",
  },
  criu: { value: "FILE", help: "without effect, for callers of runc: there is no checkpoint" },
  launch: { value: "FILE", help: "kata-launch (default: beside this program, else where it is installed)" },
  version: { short: "v", help: "print the version" },
  help: { short: "h", help: "print this help" },
} as const satisfies Options;

export type Globals = {
  /** Where the records of containers are, absolute: one directory each. */
  readonly root: string;
  readonly launchPath: string;
  readonly systemdCgroup: boolean;
  /** A container whose cgroups we may not make runs without them, when it has no limits. */
  readonly rootless: boolean;
};

/**
 * XDG Base Directory Specification: where a user's programs keep what ends with the session. As runc: the root of a user namespace
 * is that user still, unless it is root by name, too.
 */
function userRoot(isUser: boolean): string {
  const directory = environment("XDG_RUNTIME_DIR") ?? "";
  const isNamedRoot = !isUser && environment("USER") === "root";
  return directory === "" || isNamedRoot ? DEFAULT_ROOT : `${directory}/runk`;
}

/** Where kata-launch is installed. */
const LAUNCH_PATHS = [
  "/usr/libexec/kata-containers/kata-launch",
  "/usr/local/libexec/kata-containers/kata-launch",
];

export function readGlobals(options: Values<typeof globalOptions>): Globals {
  const rootless = parseRootless(options.rootless);
  const isUser = ops.geteuid() !== 0;
  const isHostRoot = !isUser && !isInUserNamespace();
  return {
    root: absolutePath(options.root ?? (isHostRoot ? DEFAULT_ROOT : userRoot(isUser))),
    launchPath: options.launch === undefined ? findLaunch() : absolutePath(options.launch),
    systemdCgroup: options["systemd-cgroup"],
    rootless: rootless === "auto" ? !isHostRoot : rootless,
  };
}

/** Beside this program (a build directory), or where it is installed. It runs from a sealed copy, whatever its place. */
function findLaunch(): string {
  const own = ops.readlink("/proc/self/exe");
  const beside = `${own.slice(0, own.lastIndexOf("/"))}/kata-launch`;
  return [beside, ...LAUNCH_PATHS].find(exists) ?? LAUNCH_PATHS[0] ?? beside;
}
