import { exists, KataError, ops } from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";

/** Options before the command, as runc's. `systemd-cgroup` is refused, `rootless` read and ignored. */
export const GLOBAL_OPTIONS: Options = {
  root: { value: true },
  log: { value: true },
  "log-format": { value: true },
  debug: {},
  "systemd-cgroup": {},
  rootless: { value: true },
  launch: { value: true },
  version: { short: "v" },
  help: { short: "h" },
};

export type Globals = {
  /** Where the records of containers are: one directory each. */
  readonly root: string;
  readonly launchPath: string;
};

/** Where kata-launch is installed. */
const LAUNCH_PATHS = [
  "/usr/libexec/kata-containers/kata-launch",
  "/usr/local/libexec/kata-containers/kata-launch",
];

export function readGlobals(args: Arguments): Globals {
  if (args.flag("systemd-cgroup"))
    throw new KataError("Unimplemented", "--systemd-cgroup is not supported: use cgroupfs paths");
  return {
    root: args.value("root") ?? "/run/runk",
    launchPath: args.value("launch") ?? findLaunch(),
  };
}

/** Beside this program (a build directory), or where it is installed. It runs from a sealed copy, whatever its place. */
function findLaunch(): string {
  const own = ops.readlink("/proc/self/exe");
  const beside = `${own.slice(0, own.lastIndexOf("/"))}/kata-launch`;
  return [beside, ...LAUNCH_PATHS].find(exists) ?? LAUNCH_PATHS[0] ?? beside;
}
