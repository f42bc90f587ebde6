import { createHash } from "node:crypto";
import fs from "node:fs";
import { ERRNO, LOCK, type Ops, SysError } from "@kata-containers/sys";

/** The file ops on Node's own file system, for unit tests: errors are SysErrors, as on the engine. */
export function nodeFiles(more: Partial<Ops> = {}): Ops {
  const locks = new Locks();
  const files: Partial<Ops> = {
    open: (path, flags, mode) => fs.openSync(path, flags & ~O_CLOEXEC, mode),
    openat2: (directory, path, { flags, mode }) =>
      fs.openSync(`/proc/self/fd/${directory}/${path}`, flags & ~O_CLOEXEC, mode),
    close: (fd) => {
      fs.closeSync(fd);
      locks.closed(fd);
    },
    readFile: (path) => new Uint8Array(fs.readFileSync(path)),
    writeSync: (fd, bytes) => void fs.writeSync(fd, bytes),
    writeFile: (path, bytes) => fs.writeFileSync(path, bytes),
    fsync: (fd) => fs.fsyncSync(fd),
    ftruncate: (fd, size) => fs.ftruncateSync(fd, size),
    flock: (fd, operation) => locks.flock(fd, operation),
    mkdir: (path, mode) => void fs.mkdirSync(path, mode),
    rmdir: (path) => fs.rmdirSync(path),
    unlink: (path) => fs.unlinkSync(path),
    unlinkat: (dir, name) => fs.rmSync(`/proc/self/fd/${dir}/${name}`, { recursive: true }),
    rename: (from, to) => fs.renameSync(from, to),
    symlink: (target, path) => fs.symlinkSync(target, path),
    readlink: (path) => fs.readlinkSync(path),
    readdir: (path) =>
      fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({
        name: entry.name,
        type: entry.isDirectory() ? "dir" : entry.isSymbolicLink() ? "symlink" : "file",
      })),
    stat: (path) => statOf(fs.statSync(path)),
    statIfThere: (path) => {
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      return stat && statOf(stat);
    },
    fstat: (fd) => statOf(fs.fstatSync(fd)),
    getpid: () => process.pid,
    geteuid: () => process.geteuid?.() ?? 0,
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
    ...more,
  };
  return new Proxy(Object.create(null), {
    get:
      (_, op: keyof Ops) =>
      (...args: unknown[]) => {
        const known = files[op];
        if (known === undefined) throw new SysError("ENOSYS", op);
        try {
          return Reflect.apply(known, files, args);
        } catch (error) {
          throw asSysError(error, op);
        }
      },
  });
}

/** flock(2) among the descriptors of one nodeFiles, exclusive ones. What would wait for ever fails. */
class Locks {
  readonly #holders = new Map<string, number>();

  flock(fd: number, operation: number): void {
    const { dev, ino } = fs.fstatSync(fd);
    const file = `${dev} ${ino}`;
    const holder = this.#holders.get(file) ?? fd;
    if (holder !== fd && (operation & LOCK.NB) === 0) throw new Error("flock: waits for ever");
    if (holder !== fd) throw new SysError("EAGAIN", "flock");
    this.#holders.set(file, fd);
  }

  closed(fd: number): void {
    for (const [file, holder] of this.#holders) if (holder === fd) this.#holders.delete(file);
  }
}

function statOf(stat: fs.Stats): ReturnType<Ops["stat"]> {
  const { dev, ino, mode, nlink, uid, gid, rdev, size, mtimeMs, ctimeMs, blocks } = stat;
  return { dev, ino, mode, nlink, uid, gid, rdev, size, mtimeMs, ctimeMs, blocks };
}

const O_CLOEXEC = 0o2000000;

function asSysError(error: unknown, op: string): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  const path = "path" in error && typeof error.path === "string" ? error.path : "";
  return error.code in ERRNO ? new SysError(error.code, op, path) : error;
}
