import { type KataConfig, readHostSize } from "@kata-containers/config";
import { laterHooks } from "@kata-containers/oci";
import { type Fd, ops, type Undo } from "@kata-containers/sys";
import {
  type ContainerRecord,
  checkKept,
  createFileStore,
  firstWorkload,
  newRecord,
  type SandboxRecord,
  type SandboxScope,
  type Store,
  saveConfig,
  takeCgroup,
  undoFromRecord,
  vmSize,
  withContainer,
} from "@kata-containers/virtcontainers";
import type { Bundle } from "./bundle.ts";
import { listenForDaemon } from "./daemon-process.ts";
import { namedNetwork } from "./network-namespace.ts";

export interface RecordClaim {
  readonly id: string;
  readonly root: string;
  readonly bundle: Bundle;
  /** systemd's scope that the sandbox will be in. */
  readonly scope?: SandboxScope | undefined;
  readonly config: KataConfig;
  readonly undo: Undo;
  /** The daemon is this process: it is left alone when everything is undone. */
  readonly ours?: boolean;
}

/** What a sandbox has from the first moment. */
export interface ClaimedRecord {
  /** Path of the daemon's socket. */
  readonly socket: string;
  readonly listener: Fd;
}

/**
 * Writes a new sandbox's record and the configuration that it keeps, and makes the daemon's socket: from here on the id is taken, and
 * what is made for it is removed when something fails.
 * @throws KataError AlreadyExists, FailedPrecondition when the cgroup has processes, InvalidArgument when the machine would be too large
 */
export function claimRecord({ id, root, bundle, scope, config, undo, ours }: RecordClaim): ClaimedRecord {
  const store = createFileStore(root);
  const sandbox = sandboxBeingMade({ id, root, bundle, scope, config });
  const record = withContainer(sandbox, containerBeingMade(id, bundle));
  store.create(record);
  undo.defer(() => removeRecord(store, record, ours ? ops.getpid() : 0));
  // A `delete --force` meanwhile comes before this, and then it fails; or after it, and undoes it.
  return store.hold(id, (current) => {
    checkKept(current);
    takeCgroup(current);
    saveConfig(root, id, config);
    return { socket: current.socket, listener: listenForDaemon(current.socket) };
  });
}

/**
 * A new sandbox's record, before anything is made: all that its first container's bundle and its configuration say.
 * @throws KataError InvalidArgument when its machine would be too large, or its cgroup has no such path
 */
export function sandboxBeingMade(claim: Omit<RecordClaim, "undo" | "ours">): SandboxRecord {
  const { id, root, bundle, scope, config } = claim;
  const { cgroupsPath } = bundle.spec.linux ?? {};
  const networkPath = namedNetwork(bundle.spec);
  const size = vmSize(config, readHostSize(), [firstWorkload(bundle.spec)]);
  return newRecord({ id, root, configPath: config.path, cgroupsPath, networkPath, size, scope });
}

/** What a record says of a container before the daemon knows it. */
export function containerBeingMade(id: string, { path, spec, rootfs }: Bundle): ContainerRecord {
  const hooks = laterHooks(spec.hooks);
  return {
    id,
    bundle: path,
    rootfs,
    status: "creating",
    pid: 0,
    createdMs: ops.realtimeMs(),
    exitStatus: 0,
    exitedAtMs: 0,
    annotations: spec.annotations ?? {},
    ociVersion: spec.ociVersion,
    ...(hooks === undefined ? {} : { hooks }),
  };
}

/**
 * By what the record says now: the daemon writes into it what it makes. While something is left that cannot be removed, the record says
 * so, for `delete --force` to try again.
 */
async function removeRecord(store: Store, first: SandboxRecord, self: number): Promise<void> {
  let record = first;
  try {
    record = store.load(first.id);
  } catch {
    // Gone or unreadable: what was in it at first is what can be undone.
  }
  await undoFromRecord(record, self);
  store.remove(first.id);
}
