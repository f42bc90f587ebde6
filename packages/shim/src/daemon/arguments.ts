import { KataError } from "@kata-containers/sys";

/** The daemon's command line, as kata-runtime gives it. */
export type DaemonArguments = {
  readonly id: string;
  /** Directory of records. */
  readonly root: string;
  /** The configuration that the sandbox was made with, as JSON in its state directory; "" when its owner sends it. */
  readonly config: string;
  /** Descriptor of the network namespace to join. */
  readonly netnsFd: number | undefined;
  /** Descriptor of the owner's socket, for a sandbox that is not on disk (owner.ts). */
  readonly ownerFd: number | undefined;
  readonly debug: boolean;
  /** How long the VM is kept while nobody has called: the creator may have died, or runs hooks. */
  readonly orphanSeconds: number;
};

export const ORPHAN_SECONDS = 30;

const VALUES = ["--id", "--root", "--config", "--netns-fd", "--owner-fd", "--orphan-seconds"] as const;

/**
 * Reads `--daemon --id ID --root ROOT (--config FILE | --owner-fd N) [--netns-fd N] [--orphan-seconds N] [--debug]`.
 * @throws KataError InvalidArgument
 */
export function parseDaemonArguments(args: readonly string[]): DaemonArguments {
  const values = new Map<string, string>();
  let debug = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--daemon") continue;
    if (arg === "--debug") {
      debug = true;
      continue;
    }
    const value = args[++at];
    if (!VALUES.some((each) => each === arg) || value === undefined) {
      throw new KataError("InvalidArgument", `${arg}: unknown option, or one without its value`);
    }
    values.set(arg, value);
  }
  const netns = values.get("--netns-fd");
  const owner = values.get("--owner-fd");
  const orphan = values.get("--orphan-seconds");
  return {
    id: required(values, "--id"),
    root: required(values, "--root"),
    config: owner === undefined ? required(values, "--config") : "",
    netnsFd: netns === undefined ? undefined : number("--netns-fd", netns),
    ownerFd: owner === undefined ? undefined : number("--owner-fd", owner),
    debug,
    orphanSeconds: orphan === undefined ? ORPHAN_SECONDS : number("--orphan-seconds", orphan),
  };
}

function required(values: ReadonlyMap<string, string>, name: string): string {
  const value = values.get(name);
  if (value === undefined || value === "") throw new KataError("InvalidArgument", `${name} is missing`);
  return value;
}

function number(name: string, text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new KataError("InvalidArgument", `${name} ${text}: is no number`);
  return Number(text);
}
