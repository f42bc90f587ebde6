import {
  type Dirent,
  Fd,
  isSysError,
  KataError,
  LOCK,
  O,
  ops,
  readText,
  removeTree,
  writeFileAtomic,
} from "@kata-containers/sys";
import { INDEX_DIR, sandboxHash, stateDir } from "../paths.ts";
import { parseRecord, type SandboxRecord } from "./record.ts";
import type { Store } from "./store.ts";

const RECORD_FILE = "persist.json";
const MAX_RECORD_BYTES = 4 << 20;

/**
 * The store on the file system: `<root>/<id>/persist.json` (directory 0700, file 0600), replaced by rename after
 * fsync, changed under flock on the directory. A container that has joined a sandbox is a symbolic link beside it,
 * `<root>/<container>` -> `<sandbox>`: taken in one step, and every look-up by its id finds the sandbox's record.
 * `<index>/<hash>` is a symbolic link to the directory.
 * @param index where the links go; for tests.
 */
export function createFileStore(root: string, index: string = INDEX_DIR): Store {
  const file = (id: string): string => `${stateDir(root, id)}/${RECORD_FILE}`;
  const link = (id: string): string => `${index}/${sandboxHash(root, id)}`;

  const load = (id: string): SandboxRecord => {
    const text = unlessMissing(() => readText(file(id), MAX_RECORD_BYTES));
    if (text === undefined) throw notFound(id);
    return parseRecord(text, file(id));
  };
  const save = (record: SandboxRecord): void => {
    writeFileAtomic(file(record.id), ops.utf8Encode(JSON.stringify(record)), 0o600);
  };

  return {
    create(record) {
      makeDirs(root, 0o711);
      makeDirs(index, 0o711);
      claim(() => ops.mkdir(stateDir(root, record.id), 0o700), record.id);
      try {
        symlinkOver(stateDir(root, record.id), link(record.id));
        save(record);
      } catch (cause) {
        this.remove(record.id);
        throw new KataError(
          "Internal",
          `cannot write state ${file(record.id)}: ${KataError.from(cause).message}`,
          {
            cause,
          },
        );
      }
    },
    join(containerId, sandboxId) {
      claim(() => ops.symlink(sandboxId, stateDir(root, containerId)), containerId);
    },
    load,
    update(id, change) {
      using lock = lockDir(stateDir(root, id), id);
      void lock;
      const record = change(load(id));
      try {
        save(record);
      } catch (error) {
        // A removal does not wait for the lock: it takes the directory away, and what is being written in it.
        throw isSysError(error, "ENOENT") ? notFound(id) : error;
      }
      return record;
    },
    hold(id, work) {
      using lock = lockDir(stateDir(root, id), id);
      void lock;
      return work(load(id));
    },
    remove(id) {
      if (linkTarget(stateDir(root, id)) !== undefined) {
        unlessMissing(() => ops.unlink(stateDir(root, id)));
        return;
      }
      for (const { name, type } of entriesOf(root)) {
        const path = stateDir(root, name);
        if (type === "symlink" && linkTarget(path) === id) unlessMissing(() => ops.unlink(path));
      }
      // First: whoever is killed in between leaves what another removal finds. And the id is not free yet: the link is ours.
      unlessMissing(() => ops.unlink(link(id)));
      removeTree(stateDir(root, id));
    },
    list() {
      return entriesOf(root)
        .filter(({ type }) => type === "dir" || type === "symlink")
        .map((entry) => entry.name)
        .sort();
    },
  };
}

/** mkdir and symlink are atomic: of two creates of one id, exactly one passes here. */
function claim(take: () => void, id: string): void {
  try {
    take();
  } catch (cause) {
    if (isSysError(cause, "EEXIST")) {
      throw new KataError("AlreadyExists", `container with given ID already exists: ${id}`, { cause });
    }
    throw new KataError("Internal", `cannot create state directory: ${KataError.from(cause).message}`, {
      cause,
    });
  }
}

function entriesOf(root: string): readonly Dirent[] {
  return unlessMissing(() => ops.readdir(root)) ?? [];
}

/** undefined: no symbolic link. */
function linkTarget(path: string): string | undefined {
  try {
    return ops.readlink(path);
  } catch (error) {
    if (isSysError(error, "EINVAL", "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function lockDir(dir: string, id: string): Fd {
  const opened = unlessMissing(() => ops.open(dir, O.RDONLY | O.DIRECTORY | O.CLOEXEC, 0));
  if (opened === undefined) throw notFound(id);
  const fd = new Fd(opened);
  ops.flock(fd.number, LOCK.EX);
  return fd;
}

function makeDirs(path: string, mode: number): void {
  let made = "";
  for (const part of path.split("/").filter(Boolean)) {
    made += `/${part}`;
    try {
      ops.mkdir(made, mode);
    } catch (cause) {
      if (isSysError(cause, "EEXIST")) continue;
      // A read-only or foreign parent is no failure as long as the directory is there.
      if (unlessMissing(() => ops.stat(made)) !== undefined) continue;
      throw new KataError("Internal", `cannot create state directory: ${KataError.from(cause).message}`, {
        cause,
      });
    }
  }
}

function symlinkOver(target: string, path: string): void {
  unlessMissing(() => ops.unlink(path));
  ops.symlink(target, path);
}

function notFound(id: string): KataError {
  return new KataError("NotFound", `container "${id}" does not exist`);
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
