import { type KataConfig, restoreConfig } from "@kata-containers/config";
import { Fd } from "@kata-containers/sys";
import { createMemoryStore, parseRecord, type Store } from "@kata-containers/virtcontainers";
import { endOf, readLines } from "./starter.ts";

/** A program that owns the sandbox: it keeps the record in its memory, and the sandbox ends with it. */
export type Owner = {
  /** Holds the sandbox's record; nothing of it is on disk. */
  readonly store: Store;
  readonly config: KataConfig;
  /** Resolves when the owner has closed its end, or died. */
  readonly gone: Promise<void>;
};

/**
 * Hears the owner out: two lines of JSON, the record and the configuration.
 * @param number a socket, whose other end is the owner's alone
 * @throws KataError when it says something else
 */
export function openOwner(number: number): Owner {
  const socket = new Fd(number);
  const [record, config] = readLines(socket, 2, "the owner's record and configuration");
  const store = createMemoryStore();
  store.create(parseRecord(record ?? "", "the owner's record"));
  return { store, config: restoreConfig(config ?? "", "the owner's configuration"), gone: endOf(socket) };
}
