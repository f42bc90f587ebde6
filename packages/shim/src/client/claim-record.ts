import type { KataConfig } from "@kata-containers/config";
import { ops, type Undo } from "@kata-containers/sys";
import {
  createFileStore,
  newRecord,
  type SandboxRecord,
  type Store,
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
 * Writes a new sandbox's record: from here on the id is taken, and what is made for it is removed when something fails.
 * @returns the path of the daemon's socket
 * @throws KataError AlreadyExists
 */
export function claimRecord({ id, root, bundle, config, undo }: RecordClaim): string {
  const { spec, path } = bundle;
  const store = createFileStore(root);
  const sandbox = newRecord({ id, root, configPath: config.path, cgroupsPath: spec.linux?.cgroupsPath });
  const record = withContainer(sandbox, {
    id,
    bundle: path,
    status: "creating",
    pid: 0,
    createdMs: ops.realtimeMs(),
    exitStatus: 0,
    exitedAtMs: 0,
    annotations: spec.annotations ?? {},
    ociVersion: spec.ociVersion,
  });
  store.create(record);
  undo.defer(() => removeRecord(store, record));
  return record.socket;
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
