import type { KataConfig } from "@kata-containers/config";
import { ops, type Undo } from "@kata-containers/sys";
import {
  type ContainerRecord,
  createFileStore,
  laterHooks,
  newRecord,
  type SandboxRecord,
  type Store,
  saveConfig,
  takeCgroup,
  undoFromRecord,
  withContainer,
} from "@kata-containers/virtcontainers";
import type { Bundle } from "./bundle.ts";

export interface RecordClaim {
  readonly id: string;
  readonly root: string;
  readonly bundle: Bundle;
  readonly config: KataConfig;
  readonly undo: Undo;
}

/**
 * Writes a new sandbox's record and the configuration that it keeps: from here on the id is taken, and what is made for
 * it is removed when something fails.
 * @returns the path of the daemon's socket
 * @throws KataError AlreadyExists, FailedPrecondition when the cgroup has processes
 */
export function claimRecord({ id, root, bundle, config, undo }: RecordClaim): string {
  const store = createFileStore(root);
  const { cgroupsPath } = bundle.spec.linux ?? {};
  const sandbox = newRecord({ id, root, configPath: config.path, cgroupsPath });
  const record = withContainer(sandbox, containerBeingMade(id, bundle));
  store.create(record);
  undo.defer(() => removeRecord(store, record));
  takeCgroup(record);
  saveConfig(root, id, config);
  return record.socket;
}

/** What a record says of a container before the daemon knows it. */
export function containerBeingMade(id: string, { path, spec }: Bundle): ContainerRecord {
  const hooks = laterHooks(spec);
  return {
    id,
    bundle: path,
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

/** By what the record says now: the daemon writes into it what it makes. */
async function removeRecord(store: Store, first: SandboxRecord): Promise<void> {
  let record = first;
  try {
    record = store.load(first.id);
  } catch {
    // Gone or unreadable: what was in it at first is what can be undone.
  }
  try {
    await undoFromRecord(record);
  } finally {
    store.remove(first.id);
  }
}
