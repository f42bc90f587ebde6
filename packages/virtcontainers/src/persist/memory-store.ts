import { KataError } from "@kata-containers/sys";
import type { SandboxRecord } from "./record.ts";
import type { Store } from "./store.ts";

/** A store that forgets: for tests, and for programs that use the library and keep their own state. */
export function createMemoryStore(): Store {
  const records = new Map<string, SandboxRecord>();
  const load = (id: string): SandboxRecord => {
    const record = records.get(id);
    if (record === undefined) throw new KataError("NotFound", `container "${id}" does not exist`);
    return record;
  };
  return {
    create(record) {
      if (records.has(record.id)) {
        throw new KataError("AlreadyExists", `container with id "${record.id}" already exists`);
      }
      records.set(record.id, record);
    },
    load,
    update(id, change) {
      const record = change(load(id));
      records.set(id, record);
      return record;
    },
    remove: (id) => void records.delete(id),
    list: () => [...records.keys()].sort(),
  };
}
