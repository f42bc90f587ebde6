import type { SandboxRecord } from "./record.ts";

/** Keeps records. Every change is one atomic replacement under a lock: a reader sees the old record or the new one. */
export interface Store {
  /** @throws KataError AlreadyExists when the id has a record: of two creates at once, one wins. */
  create(record: SandboxRecord): void;
  /** @throws KataError NotFound; Internal when the record cannot be read. */
  load(id: string): SandboxRecord;
  /** Replaces the record by what `change` makes of it. @throws KataError NotFound. */
  update(id: string, change: (record: SandboxRecord) => SandboxRecord): SandboxRecord;
  /** Removes the record and its directory. Without effect when it is gone. */
  remove(id: string): void;
  /** Ids that have a record (or a half-made one), sorted. */
  list(): string[];
}
