import type { SandboxRecord } from "./record.ts";

/** Keeps records. Every change is one atomic replacement under a lock: a reader sees the old record or the new one. */
export interface Store {
  /** @throws KataError AlreadyExists when the id has a record: of two creates at once, one wins. */
  create(record: SandboxRecord): void;
  /**
   * Takes the id of a container that joins a sandbox: from now on it names that sandbox's record.
   * @throws KataError AlreadyExists when the id names a sandbox or a container already
   */
  join(containerId: string, sandboxId: string): void;
  /** The record of a sandbox, by its id or by that of one of its containers. @throws KataError NotFound; Internal when the record cannot be read. */
  load(id: string): SandboxRecord;
  /** Replaces the record by what `change` makes of it. @throws KataError NotFound. */
  update(id: string, change: (record: SandboxRecord) => SandboxRecord): SandboxRecord;
  /** Runs something that nobody changes the record during, and gives what it returns. It must not call the store. @throws KataError NotFound. */
  hold<T>(id: string, work: (record: SandboxRecord) => T): T;
  /**
   * Removes a sandbox's record with its directory and the ids of the containers that have joined it; or gives up the id
   * of one container that has joined. Without effect when it is gone.
   */
  remove(id: string): void;
  /** Ids of sandboxes that have a record (or a half-made one), and of the containers that have joined them; sorted. */
  list(): string[];
}
