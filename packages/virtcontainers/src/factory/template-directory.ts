import {
  exists,
  Fd,
  isSysError,
  KataError,
  LOCK,
  mkdirp,
  O,
  ops,
  readText,
  removeTree,
  S,
  type Stat,
  sleep,
  unlinkIfThere,
  writeText,
} from "@kata-containers/sys";
import { currentBootId } from "../persist/process-identity.ts";
import {
  type Failure,
  parseFailure,
  parseRecord,
  type TemplateDescription,
  type TemplateRecord,
} from "./template-record.ts";

/** What of a template's files is where, in its directory. */
const [MEMORY, STATE, DESCRIPTION] = ["memory", "state", "template.json"] as const;

/** Held while a template is made or removed; flock(2) lets go of it when its holder dies. */
const LOCK_FILE = "lock";
/** A template that is being made, and one that is being removed: none yet, and none any more. What is left of a process that died goes when the next one is made. */
const [UNFINISHED, DOOMED] = ["unfinished", "doomed"] as const;
/** There in a template that may be of no use. */
const DOUBTED = "doubted";
/** Why the last one could not be made. */
const FAILURE = "failure.json";
const KEY = /^[0-9a-f]{16}$/;

/** Between two looks at the lock; whoever holds it takes a second or two. */
const LOCK_RETRY_MS = 20;

/** How long nobody tries again after a failure, but `make`. */
const RECENT_MS = 60_000;

const MAX_DESCRIPTION = 1 << 16;

/** A template that can be copied. */
export interface OpenTemplate extends Disposable {
  /** The memory of a VM: zeroes are holes. */
  readonly memory: Fd;
  /** See Vm.save. */
  readonly state: Fd;
}

class TemplateFiles implements OpenTemplate {
  readonly memory: Fd;
  readonly state: Fd;

  constructor(memory: Fd, state: Fd) {
    this.memory = memory;
    this.state = state;
  }

  [Symbol.dispose](): void {
    this.memory.close();
    this.state.close();
  }
}

/**
 * The directory of templates: each in a directory of its own, named by what it was made from. One appears whole, by rename, and goes whole;
 * who has it open keeps it.
 */
export class TemplateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the directory when it is not there.
   * @throws KataError PermissionDenied when somebody else could write to it; FailedPrecondition when it is none
   */
  prepare(): void {
    try {
      mkdirp(this.path, 0o700);
    } catch (error) {
      // `check` says what is there instead.
      if (!isSysError(error, "EEXIST")) throw KataError.from(error, `template_path ${this.path}`);
    }
    this.check();
  }

  /**
   * A copy of what somebody else put here would run with all that a pod brings.
   * @throws KataError as `prepare`; NotFound
   */
  check(): void {
    const stat = this.#stat();
    if ((stat.mode & S.IFMT) !== S.IFDIR)
      throw new KataError("FailedPrecondition", `template_path ${this.path}: is no directory`);
    if (!isOursAlone(stat)) {
      const mode = (stat.mode & 0o7777).toString(8);
      const why = `belongs to user ${stat.uid} and has mode ${mode}: others could write to it`;
      throw new KataError("PermissionDenied", `template_path ${this.path}: ${why} (chown root, chmod 700)`);
    }
  }

  /** Whether it is there, and ours. @throws KataError as `prepare` */
  isThere(): boolean {
    try {
      this.check();
      return true;
    } catch (error) {
      if (error instanceof KataError && error.code === "NotFound") return false;
      throw error;
    }
  }

  #stat() {
    try {
      using directory = new Fd(ops.open(this.path, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0));
      return ops.fstat(directory.number);
    } catch (error) {
      throw KataError.from(error, `template_path ${this.path}`);
    }
  }

  /** undefined: there is none, or what there is came here while others could write to the directory. */
  open(key: string): OpenTemplate | undefined {
    let memory: Fd | undefined;
    try {
      // Held: the two files are of one template, also when another one takes its place between them.
      using directory = new Fd(
        ops.open(`${this.path}/${key}`, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0),
      );
      if (!isOursAlone(ops.fstat(directory.number))) return undefined;
      memory = openFile(directory, MEMORY);
      return new TemplateFiles(memory, openFile(directory, STATE));
    } catch (error) {
      memory?.close();
      if (isSysError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw KataError.from(error, `cannot open the template ${this.path}/${key}`);
    }
  }

  /** What there is, by key; without what does not say of itself what it is. */
  list(): ReadonlyMap<string, TemplateRecord> {
    const found = new Map<string, TemplateRecord>();
    for (const key of this.#keys()) {
      const record = this.#record(key);
      if (record !== undefined) found.set(key, record);
    }
    return found;
  }

  #keys(): string[] {
    if (!exists(this.path)) return [];
    return ops
      .readdir(this.path)
      .map(({ name }) => name)
      .filter((name) => KEY.test(name));
  }

  #record(key: string): TemplateRecord | undefined {
    try {
      return parseRecord(readText(`${this.path}/${key}/${DESCRIPTION}`, MAX_DESCRIPTION));
    } catch {
      return undefined;
    }
  }

  /** What a template takes on disk: its holes are not there. 0 when it has gone. */
  bytesOnDisk(key: string): number {
    const files = [MEMORY, STATE, DESCRIPTION].map((name) => ops.statIfThere(`${this.path}/${key}/${name}`));
    // stat(2): blocks are of 512 bytes, whatever the file system's are.
    return files.reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0);
  }

  /**
   * The template of that key, made when there is none: by one process of those that want it, while the others wait for it.
   * @param write writes its two files
   * @param patienceMs how long somebody else may take to make it
   * @throws KataError of `write`, and then there is none; DeadlineExceeded
   */
  async openOrMake(
    key: string,
    write: (memory: Fd, state: Fd) => Promise<TemplateDescription>,
    patienceMs: number,
  ): Promise<OpenTemplate> {
    const there = this.open(key);
    if (there !== undefined) return there;
    const began = ops.realtimeMs();
    using _ = await this.#lock(patienceMs);
    const made = this.open(key);
    if (made !== undefined) return made;
    this.#checkFailure(key, began);
    await this.#make(key, write);
    const opened = this.open(key);
    if (opened === undefined) throw new KataError("Internal", `template ${this.path}/${key}: has gone again`);
    return opened;
  }

  /**
   * As `openOrMake`, but always a new one; the one that is there goes when the new one is made.
   * @param gone rejects when nobody wants it any more
   */
  async make(
    key: string,
    write: (memory: Fd, state: Fd) => Promise<TemplateDescription>,
    patienceMs: number,
    gone?: Promise<never>,
  ): Promise<void> {
    using _ = await this.#lock(patienceMs, gone);
    await this.#make(key, write);
  }

  /**
   * Removes one that is of no use; not another one that has taken its place. Somebody who has the lock is about to make one, or to remove
   * it: nothing is done then.
   */
  async discard(key: string, useless: OpenTemplate): Promise<void> {
    using _ = await this.#lock(0);
    using there = this.open(key);
    if (there === undefined) return;
    const inode = ({ state }: OpenTemplate): number => ops.fstat(state.number).ino;
    if (inode(there) === inode(useless)) this.#remove(key);
  }

  /** Removes one the second time that it is doubted. */
  async doubt(key: string, doubted: OpenTemplate): Promise<void> {
    const mark = `${this.path}/${key}/${DOUBTED}`;
    if (exists(mark)) await this.discard(key, doubted);
    else writeText(mark, "", 0o600);
  }

  /**
   * Removes all templates. VMs that are copies of them go on.
   * @throws KataError as `prepare`; DeadlineExceeded
   */
  async destroy(patienceMs: number): Promise<void> {
    if (!this.isThere()) return;
    using _ = await this.#lock(patienceMs);
    for (const key of this.#keys()) this.#remove(key);
    this.#removeLeftovers();
    unlinkIfThere(`${this.path}/${FAILURE}`);
  }

  async #make(key: string, write: (memory: Fd, state: Fd) => Promise<TemplateDescription>): Promise<void> {
    const directory = `${this.path}/${UNFINISHED}`;
    try {
      this.#removeLeftovers();
      ops.mkdir(directory, 0o700);
      using memory = newFile(`${directory}/${MEMORY}`);
      using state = newFile(`${directory}/${STATE}`);
      const record: TemplateRecord = { ...(await write(memory, state)), bootId: currentBootId() };
      writeText(`${directory}/${DESCRIPTION}`, JSON.stringify(record), 0o600);
      this.#removeOutdated(record);
      // The one that was there, or what has its name and cannot be opened.
      this.#remove(key);
      ops.rename(directory, `${this.path}/${key}`);
      unlinkIfThere(`${this.path}/${FAILURE}`);
    } catch (error) {
      this.#removeLeftovers();
      const failure = KataError.from(error, `cannot make a template in ${this.path}`);
      // One that is given up says nothing of the next one.
      if (failure.code !== "Canceled")
        this.#noteFailure({ key, why: failure.message, atMs: ops.realtimeMs() });
      throw failure;
    }
  }

  #noteFailure(failure: Failure): void {
    try {
      writeText(`${this.path}/${FAILURE}`, JSON.stringify(failure), 0o600);
    } catch {
      // Those who wait try it themselves then.
    }
  }

  /**
   * What failed while this process waited for it would fail for each of those who wait, one after the other; and what has just failed
   * would cost the next one a boot for nothing.
   */
  #checkFailure(key: string, sinceMs: number): void {
    const path = `${this.path}/${FAILURE}`;
    if (!exists(path)) return;
    const failure = parseFailure(readText(path, MAX_DESCRIPTION));
    if (failure?.key === key && failure.atMs >= sinceMs - RECENT_MS)
      throw new KataError("Unavailable", failure.why);
  }

  /** Those of another boot, and those that were made from a file that is another one now: nobody will copy them again. */
  #removeOutdated({ files, bootId }: TemplateRecord): void {
    for (const [key, other] of this.list()) {
      const changed = Object.entries(other.files).some(
        ([path, identity]) => path in files && files[path] !== identity,
      );
      if (changed || other.bootId !== bootId) this.#remove(key);
    }
  }

  /** If it is there. By another name at first: what is half removed must not be opened. */
  #remove(key: string): void {
    const doomed = `${this.path}/${DOOMED}`;
    removeTree(doomed);
    try {
      ops.rename(`${this.path}/${key}`, doomed);
    } catch (error) {
      if (isSysError(error, "ENOENT")) return;
      throw error;
    }
    removeTree(doomed);
  }

  #removeLeftovers(): void {
    for (const left of [UNFINISHED, DOOMED]) removeTree(`${this.path}/${left}`);
  }

  async #lock(patienceMs: number, gone?: Promise<never>): Promise<Fd> {
    const file = this.#lockFile();
    const until = ops.monotonicMs() + patienceMs;
    try {
      while (!tryLock(file)) {
        if (ops.monotonicMs() > until) {
          const why = `another process has held the lock for ${Math.round(patienceMs / 1000)} s`;
          throw new KataError("DeadlineExceeded", `template_path ${this.path}: ${why}`);
        }
        const retry = sleep(LOCK_RETRY_MS);
        await (gone === undefined ? retry : Promise.race([retry, gone]));
      }
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #lockFile(): Fd {
    try {
      const flags = O.RDWR | O.CREAT | O.NOFOLLOW | O.CLOEXEC;
      return new Fd(ops.open(`${this.path}/${LOCK_FILE}`, flags, 0o600));
    } catch (error) {
      throw KataError.from(error, `template_path ${this.path}`);
    }
  }
}

/** Nobody but this user can have put there what is in it. */
function isOursAlone({ uid, mode }: Stat): boolean {
  return uid === ops.geteuid() && (mode & 0o022) === 0;
}

function tryLock(file: Fd): boolean {
  try {
    ops.flock(file.number, LOCK.EX | LOCK.NB);
    return true;
  } catch (error) {
    if (isSysError(error, "EAGAIN")) return false;
    throw error;
  }
}

function openFile(directory: Fd, name: string): Fd {
  const flags = O.RDONLY | O.NOFOLLOW | O.CLOEXEC;
  return new Fd(ops.openat2(directory.number, name, { flags }));
}

function newFile(path: string): Fd {
  return new Fd(ops.open(path, O.RDWR | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, 0o600));
}
