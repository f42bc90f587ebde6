import type { LaterHooks } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import type { SandboxCgroups } from "../resource/cgroup.ts";
import type { VmSize } from "../resource/vm-size.ts";

/** A process, told apart from a later one with the same pid by its start time (field 22 of /proc/<pid>/stat, clock ticks since boot). */
export type ProcessIdentity = { readonly pid: number; readonly startTime: number };

/**
 * Something on the host that is there because of the sandbox. It is in the record before it exists: a crash at any
 * point leaves nothing that the record does not name. A process gets its pid only when it exists; until then the
 * record holds the cgroup that it will be born in, and `undoFromRecord` kills whatever is in there.
 *
 * What ends with the processes needs no entry: a network namespace of the sandbox's own, which has no name; taps, which are not
 * persistent; the daemon's mount namespace, with the share and every directory of its small root. The state directory is the store's.
 */
export type HostResource =
  | { readonly kind: "process"; readonly name: ProcessName; readonly identity: ProcessIdentity }
  | { readonly kind: "cgroup"; readonly path: string }
  /** The right to a cgroup, see `claimCgroup`: what is at the path is ours only when it names us. */
  | { readonly kind: "cgroup-claim"; readonly path: string }
  | { readonly kind: "socket"; readonly path: string }
  /** A network namespace that is not ours, told apart from a later one at the path: its links' frames may be led to the sandbox's taps. */
  | { readonly kind: "network"; readonly path: string; readonly inode: number };
export type ProcessName = "daemon" | "qemu" | "virtiofsd" | "kata-shim";

export const CONTAINER_STATUS = ["creating", "created", "running", "paused", "stopped"] as const;
/** OCI runtime-spec, runtime.md, "state". */
export type ContainerStatus = (typeof CONTAINER_STATUS)[number];

export type ContainerRecord = {
  readonly id: string;
  readonly bundle: string;
  /** Absolute path of its root file system on the host; older builds have not recorded it. */
  readonly rootfs?: string;
  readonly status: ContainerStatus;
  /** A pid of the host: kata-shim's, or 0 before one has attached. */
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly exitStatus: number;
  readonly exitedAtMs: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** The OCI version of its config.json, for `state`. */
  readonly ociVersion: string;
  /** What `start` and `delete` run on the host, when there is any: config.json may be gone by then. */
  readonly hooks?: LaterHooks;
};

export const RECORD_VERSION = 1;

/** What `persist.json` holds. */
export type SandboxRecord = {
  readonly version: typeof RECORD_VERSION;
  readonly id: string;
  readonly root: string;
  /** /proc/sys/kernel/random/boot_id: identities of processes mean nothing after a reboot. */
  readonly bootId: string;
  readonly socket: string;
  /** The file that its configuration came from, for people: the configuration itself is saved beside the record. */
  readonly configPath: string;
  /** Where its processes run, as paths below every cgroup hierarchy. */
  readonly cgroups: SandboxCgroups;
  /** Its virtual machine's; undefined: what the configuration gives every sandbox. */
  readonly size?: VmSize;
  /** systemd's unit that the cgroups are in: "docker-0123.scope". It goes by itself when nothing is left in it. */
  readonly scope?: string;
  /** In the order they are made; undone in reverse. */
  readonly resources: readonly HostResource[];
  readonly containers: readonly ContainerRecord[];
};

/** Reads a record. @throws KataError Internal naming `what` when it is no record of ours. */
export function parseRecord(text: string, what: string): SandboxRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw corrupt(what, "no JSON", cause);
  }
  if (!isRecord(value)) throw corrupt(what, `not a record of version ${RECORD_VERSION}`);
  return value;
}

export function withResource(record: SandboxRecord, resource: HostResource): SandboxRecord {
  return { ...record, resources: [...record.resources, resource] };
}

/** The record with its container `container.id` replaced by `container`, or with it added. */
export function withContainer(record: SandboxRecord, container: ContainerRecord): SandboxRecord {
  const others = record.containers.filter((each) => each.id !== container.id);
  return { ...record, containers: [...others, container] };
}

export function withoutContainer(record: SandboxRecord, id: string): SandboxRecord {
  return { ...record, containers: record.containers.filter((each) => each.id !== id) };
}

/** The record of a sandbox that is being deleted: nothing more may be made for it, for what its record names is being undone. */
export function withoutContainers(record: SandboxRecord): SandboxRecord {
  return { ...record, containers: [] };
}

/** @throws KataError NotFound when the sandbox is being deleted */
export function checkKept({ id, containers }: SandboxRecord): void {
  if (containers.length > 0) return;
  throw new KataError("NotFound", `container "${id}" was deleted while it was being made`);
}

/**
 * A sandbox is deleted after the containers that have joined it.
 * @throws KataError FailedPrecondition naming those that are left
 */
export function checkDeletedLast({ id, containers }: Pick<SandboxRecord, "id" | "containers">): void {
  const others = containers.filter((each) => each.id !== id).map((each) => each.id);
  if (others.length === 0) return;
  throw new KataError(
    "FailedPrecondition",
    `cannot delete sandbox "${id}" while it has containers (${others.join(", ")}): delete them first, or use --force`,
  );
}

function corrupt(what: string, why: string, cause?: unknown): KataError {
  return new KataError("Internal", `cannot read state ${what}: ${why} (delete --force removes it)`, {
    cause,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isRecord(value: unknown): value is SandboxRecord {
  return (
    isObject(value) &&
    value.version === RECORD_VERSION &&
    ["id", "root", "bootId", "socket", "configPath"].every((key) => typeof value[key] === "string") &&
    isObject(value.cgroups) &&
    typeof value.cgroups.sandbox === "string" &&
    typeof value.cgroups.daemon === "string" &&
    (value.size === undefined || isSize(value.size)) &&
    (value.scope === undefined || typeof value.scope === "string") &&
    Array.isArray(value.resources) &&
    value.resources.every(isResource) &&
    Array.isArray(value.containers) &&
    value.containers.every(isContainer)
  );
}

function isSize(value: unknown): value is VmSize {
  return isObject(value) && Number.isSafeInteger(value.vcpus) && Number.isSafeInteger(value.memoryMiB);
}

function isResource(value: unknown): value is HostResource {
  if (!isObject(value)) return false;
  switch (value.kind) {
    case "process": {
      const identity = value.identity;
      return (
        isObject(identity) && Number.isSafeInteger(identity.pid) && Number.isSafeInteger(identity.startTime)
      );
    }
    case "network":
      return typeof value.path === "string" && Number.isSafeInteger(value.inode);
    case "cgroup":
    case "cgroup-claim":
    case "socket":
      return typeof value.path === "string";
    default:
      return false;
  }
}

function isLaterHooks(value: unknown): value is LaterHooks {
  return (
    isObject(value) &&
    [value.startContainer, value.poststart, value.poststop].every((list) => areHooks(list ?? []))
  );
}

function areHooks(value: unknown): boolean {
  const areTexts = (texts: unknown) =>
    Array.isArray(texts) && texts.every((text) => typeof text === "string");
  return (
    Array.isArray(value) &&
    value.every(
      (hook) =>
        isObject(hook) &&
        typeof hook.path === "string" &&
        areTexts(hook.args ?? []) &&
        areTexts(hook.env ?? []) &&
        (hook.timeout === undefined || Number.isSafeInteger(hook.timeout)),
    )
  );
}

function isContainer(value: unknown): value is ContainerRecord {
  return (
    isObject(value) &&
    ["id", "bundle", "ociVersion"].every((key) => typeof value[key] === "string") &&
    (value.rootfs === undefined || typeof value.rootfs === "string") &&
    CONTAINER_STATUS.some((status) => status === value.status) &&
    ["pid", "createdMs", "exitStatus", "exitedAtMs"].every((key) => typeof value[key] === "number") &&
    isObject(value.annotations) &&
    (value.hooks === undefined || isLaterHooks(value.hooks))
  );
}
