import { KataError } from "@kata-containers/sys";
import type { SandboxRecord } from "./record.ts";
import type { Store } from "./store.ts";

/** A store that forgets: for tests, and for programs that use the library and keep their own state. */
export function createMemoryStore(): Store {
  const records = new Map<string, SandboxRecord>();
  /** Sandboxes by the ids of the containers that have joined them. */
  const joined = new Map<string, string>();
  const load = (id: string): SandboxRecord => {
    const record = records.get(joined.get(id) ?? id);
    if (record === undefined) throw new KataError("NotFound", `container "${id}" does not exist`);
    return record;
  };
  const requireFree = (id: string): void => {
    if (records.has(id) || joined.has(id))
      throw new KataError("AlreadyExists", `container with given ID already exists: ${id}`);
  };
  return {
    create(record) {
      requireFree(record.id);
      records.set(record.id, record);
    },
    join(containerId, sandboxId) {
      requireFree(containerId);
      joined.set(containerId, sandboxId);
    },
    load,
    update(id, change) {
      const record = change(load(id));
      records.set(record.id, record);
      return record;
    },
    hold: (id, work) => work(load(id)),
    remove(id) {
      if (joined.delete(id) || !records.delete(id)) return;
      for (const [container, sandbox] of joined) if (sandbox === id) joined.delete(container);
    },
    list: () => [...records.keys(), ...joined.keys()].sort(),
  };
}
