import { KataError } from "@kata-containers/sys";

/** What kata-runtime and containerd's shim tell kata-shim. */
export interface ShimArguments {
  /** The daemon's socket. */
  readonly socket: string;
  readonly id: string;
  /** "" for the container's first process. */
  readonly execId: string;
  /** Standard input is our controlling terminal. */
  readonly terminal: boolean;
  /** Where we tell that we are in place, and wait until the host's hooks have run; undefined: there are none. */
  readonly gateFd: number | undefined;
  /** What our mount namespace becomes. */
  readonly view: ContainerView;
}

export type ContainerView =
  /** A new one: the tree of the root file system, and volumes by destination. */
  | { readonly kind: "build"; readonly rootfsFd: number; readonly volumes: readonly VolumeArgument[] }
  /** That of the container's own kata-shim. */
  | { readonly kind: "join"; readonly mountNamespaceFd: number };

export interface VolumeArgument {
  readonly treeFd: number;
  /** Absolute, in the container. */
  readonly destination: string;
}

/**
 * Parses `--socket PATH --id ID [--exec-id ID] [--terminal] [--gate-fd N] (--rootfs-fd N [--volume N:PATH]... | --mount-namespace-fd N)`.
 * @throws KataError InvalidArgument
 */
export function parseShimArguments(argv: readonly string[]): ShimArguments {
  const values = new Map<string, string>();
  const volumes: VolumeArgument[] = [];
  for (let index = 0; index < argv.length; index++) {
    const name = argv[index] ?? "";
    if (name === "--terminal") {
      values.set(name, "");
      continue;
    }
    const value = argv[++index];
    if (!known.includes(name) || value === undefined) throw wrong(name);
    if (name === "--volume") volumes.push(readVolume(value));
    else values.set(name, value);
  }
  const required = (name: string) => {
    const value = values.get(name);
    if (value === undefined) throw wrong(name);
    return value;
  };
  const gate = values.get("--gate-fd");
  const join = values.get("--mount-namespace-fd");
  return {
    socket: required("--socket"),
    id: required("--id"),
    execId: values.get("--exec-id") ?? "",
    terminal: values.has("--terminal"),
    gateFd: gate === undefined ? undefined : readFd(gate),
    view:
      join === undefined
        ? { kind: "build", rootfsFd: readFd(required("--rootfs-fd")), volumes }
        : { kind: "join", mountNamespaceFd: readFd(join) },
  };
}

const known = [
  "--socket",
  "--id",
  "--exec-id",
  "--gate-fd",
  "--rootfs-fd",
  "--volume",
  "--mount-namespace-fd",
];

function readVolume(text: string): VolumeArgument {
  const colon = text.indexOf(":");
  const destination = text.slice(colon + 1);
  if (colon < 1 || !destination.startsWith("/")) throw wrong(`--volume ${text}`);
  return { treeFd: readFd(text.slice(0, colon)), destination };
}

function readFd(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw wrong(text);
  return Number(text);
}

function wrong(what: string): KataError {
  return new KataError(
    "InvalidArgument",
    `kata-shim is started by kata-runtime: bad or missing argument ${what}`,
  );
}
