import type { CgroupPlace, SeccompStep } from "@kata-containers/launch";
import { type LaterHooks, validateContainerId } from "@kata-containers/oci";
import {
  Fd,
  isSysError,
  KataError,
  LOCK,
  O,
  ops,
  readText,
  removeTree,
  replaceFile,
} from "@kata-containers/sys";

/** What is kept of a container: <root>/<id>/state.json, replaced as a whole. */
export type ContainerRecord = {
  readonly version: 1;
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly ociVersion: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
  /** 0 until the process exists. */
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat, in clock ticks after boot: tells a process from a later one with its pid. */
  readonly startTime: number;
  readonly cgroups: readonly CgroupPlace[];
  /** systemd's unit that the cgroup belongs to: "runk-one.scope". */
  readonly scope?: string;
  /** That systemd is not the host's but the user's own. */
  readonly scopeOfUser?: true;
  /** Its root, mounted in the host's mount namespace, for it has none of its own. */
  readonly hostMount?: string;
  /** Those that are still to run; absent: none. */
  readonly hooks?: LaterHooks;
};

const SECCOMP_FILE = "seccomp.json";

const NO_SUCH = "container does not exist";

/** A container's directory, locked: one command at a time changes it. */
export class RecordDirectory implements Disposable {
  readonly path: string;
  readonly #lock: Fd;

  private constructor(path: string, lock: Fd) {
    this.path = path;
    this.#lock = lock;
  }

  /** Makes the directory of a new container. @throws KataError AlreadyExists. */
  static create(root: string, id: string): RecordDirectory {
    const path = pathOf(root, id);
    try {
      ops.mkdir(path, 0o711);
    } catch (error) {
      if (isSysError(error, "EEXIST"))
        throw new KataError("AlreadyExists", `container with given ID already exists: ${id}`);
      throw error;
    }
    return RecordDirectory.open(root, id);
  }

  /** @throws KataError NotFound, also when the container has gone while we waited for the lock. */
  static open(root: string, id: string): RecordDirectory {
    const path = pathOf(root, id);
    const lock = new Fd(openDirectory(path));
    ops.flock(lock.number, LOCK.EX);
    if (ops.fstat(lock.number).nlink > 0) return new RecordDirectory(path, lock);
    lock.close();
    throw new KataError("NotFound", NO_SUCH);
  }

  /** @returns undefined when there is none */
  static openIfThere(root: string, id: string): RecordDirectory | undefined {
    try {
      return RecordDirectory.open(root, id);
    } catch (error) {
      if (error instanceof KataError && error.code === "NotFound") return undefined;
      throw error;
    }
  }

  get fifo(): string {
    return `${this.path}/exec.fifo`;
  }

  /** There when `start` waits for more than the exec FIFO: the process tells here what fails, and closes it by its exec. */
  get startedFifo(): string {
    return `${this.path}/started.fifo`;
  }

  /** The container's config.json as it was when it was created. */
  get spec(): string {
    return `${this.path}/config.json`;
  }

  read(): ContainerRecord | undefined {
    return readRecordFile(this.path);
  }

  /** @throws KataError NotFound */
  mustRead(): ContainerRecord {
    const record = this.read();
    if (record === undefined) throw new KataError("NotFound", NO_SUCH);
    return record;
  }

  write(record: ContainerRecord): void {
    replaceFile(`${this.path}/state.json`, JSON.stringify(record), 0o600);
  }

  /** The compiled filter, so that `exec` need not compile it again. */
  writeSeccomp(step: SeccompStep): void {
    replaceFile(`${this.path}/${SECCOMP_FILE}`, JSON.stringify(step), 0o600);
  }

  remove(): void {
    removeTree(this.path);
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }
}

/** Reads a record without the lock: it is always whole. @throws KataError NotFound. */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = readRecordFile(pathOf(root, id));
  if (record === undefined) throw new KataError("NotFound", NO_SUCH);
  return record;
}

/** The filter that the container was created with; none: it has no profile. */
export function readSeccomp(root: string, id: string): SeccompStep | undefined {
  try {
    // Our own file, as writeSeccomp made it.
    const step: SeccompStep = JSON.parse(readText(`${pathOf(root, id)}/${SECCOMP_FILE}`));
    return step;
  } catch (error) {
    if (isSysError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Our own file: its shape is what `write` gave it; another version is not ours to guess. */
function readRecordFile(path: string): ContainerRecord | undefined {
  let text: string;
  try {
    text = readText(`${path}/state.json`);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  const record = parseRecord(text);
  if (record === undefined) return undefined;
  if (record.version !== 1)
    throw new KataError("FailedPrecondition", `${path}/state.json: unknown version ${record.version}`);
  return record;
}

/** @returns undefined for what a loss of power has left, which nothing of the container has survived */
function parseRecord(text: string): ContainerRecord | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function fifoPath(root: string, id: string): string {
  return `${pathOf(root, id)}/exec.fifo`;
}

function pathOf(root: string, id: string): string {
  return `${root}/${validateContainerId(id)}`;
}

function openDirectory(path: string): number {
  try {
    return ops.open(path, O.RDONLY | O.DIRECTORY | O.CLOEXEC, 0);
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) throw new KataError("NotFound", NO_SUCH);
    throw error;
  }
}
