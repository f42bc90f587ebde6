import { type KataConfig, restoreConfig } from "@kata-containers/config";
import { Fd, KataError, ops } from "@kata-containers/sys";
import { createMemoryStore, parseRecord, type Store } from "@kata-containers/virtcontainers";

/** Record and configuration together are a few kilobytes. */
const MAX_BYTES = 1 << 22;

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
  const [record, config] = readLines(socket, 2);
  const store = createMemoryStore();
  store.create(parseRecord(record ?? "", "the owner's record"));
  return { store, config: restoreConfig(config ?? "", "the owner's configuration"), gone: endOf(socket) };
}

function readLines(socket: Fd, count: number): string[] {
  let text = "";
  while (text.split("\n").length <= count) {
    const bytes = ops.readSync(socket.number, 1 << 16);
    if (bytes.length === 0 || text.length > MAX_BYTES)
      throw new KataError("InvalidArgument", "the owner's record and configuration are incomplete");
    text += ops.utf8Decode(bytes);
  }
  return text.split("\n");
}

/** Nothing more is said: what comes is the end. */
async function endOf(socket: Fd): Promise<void> {
  using _ = socket;
  try {
    while ((await ops.read(socket.number, 1)).length > 0);
  } catch {
    // ECONNRESET is an end, too.
  }
}
