import { AT, O, RESOLVE, S } from "./constants.ts";
import { Fd } from "./fd.ts";
import { ops } from "./ops.ts";
import { isSysError, SysError } from "./sys-error.ts";

/** Largest file that {@link readText} takes by default: 16 MiB. */
export const MAX_TEXT_BYTES = 16 << 20;

/**
 * The file's text (UTF-8; wrong bytes become U+FFFD). Works on /proc and /sys too.
 * @param maxBytes SysError EFBIG beyond it
 */
export function readText(path: string, maxBytes = MAX_TEXT_BYTES): string {
  return ops.utf8Decode(ops.readFile(path, maxBytes));
}

/** Writes a file in place, made if absent, cut if longer: for /proc, /sys, cgroups, and files nobody reads at the time. */
export function writeText(path: string, text: string, mode = 0o644): void {
  ops.writeFile(path, ops.utf8Encode(text), O.CREAT | O.TRUNC, mode);
}

/** True when the path leads to something (symbolic links followed). Throws when that cannot be told. */
export function exists(path: string): boolean {
  return ops.statIfThere(path) !== undefined;
}

/** Makes a directory and those above it; one that is there already is left as it is. */
export function mkdirp(path: string, mode = 0o755): void {
  // Looked at first: most are there, and a thrown error takes far longer than a call.
  if (isDirectory(path)) return;
  try {
    ops.mkdir(path, mode);
  } catch (error) {
    if (isSysError(error, "EEXIST")) {
      if (isDirectory(path)) return;
      throw error;
    }
    const parent = parentOf(path);
    if (!isSysError(error, "ENOENT") || parent === path) throw error;
    mkdirp(parent, mode);
    mkdirp(path, mode);
  }
}

function isDirectory(path: string): boolean {
  return ((ops.statIfThere(path)?.mode ?? 0) & S.IFMT) === S.IFDIR;
}

let temporaries = 0;

/**
 * Replaces a file so that a reader, and a crash at any point, sees the old or the new one whole:
 * temporary file beside it, fsync, rename, fsync of the directory.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string, mode = 0o644): void {
  replace(path, content, mode, true);
  using directory = new Fd(ops.open(parentOf(path), O.RDONLY | O.DIRECTORY | O.CLOEXEC, 0));
  ops.fsync(directory.number);
}

/**
 * The same without fsync, for what means nothing after a reboot: a reader, and a crash of ours, sees the old or the new file
 * whole, but a loss of power may leave an empty one.
 */
export function replaceFile(path: string, content: Uint8Array | string, mode = 0o644): void {
  replace(path, content, mode, false);
}

function replace(path: string, content: Uint8Array | string, mode: number, sync: boolean): void {
  const temporary = `${path}.${ops.getpid()}.${temporaries++}.tmp`;
  try {
    using file = new Fd(ops.open(temporary, O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC | O.NOFOLLOW, mode));
    ops.writeSync(file.number, typeof content === "string" ? ops.utf8Encode(content) : content);
    if (sync) ops.fsync(file.number);
    ops.rename(temporary, path);
  } catch (error) {
    try {
      ops.unlink(temporary);
    } catch {
      // The first error says what went wrong.
    }
    throw error;
  }
}

/** Removes a name that is no directory's; nothing there is no error. */
export function unlinkIfThere(path: string): void {
  try {
    ops.unlink(path);
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
}

/**
 * Removes a file, or a directory with all in it; nothing there is no error.
 * Never follows a symbolic link, and throws SysError EXDEV or EBUSY at a mount point instead of emptying what is mounted there.
 */
export function removeTree(path: string): void {
  try {
    using parent = new Fd(ops.open(parentOf(path), O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
    removeAt(
      parent.number,
      path.slice(path.replace(/\/+$/, "").lastIndexOf("/") + 1).replace(/\/+$/, ""),
      path,
    );
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
}

function removeAt(parent: number, name: string, path: string): void {
  try {
    ops.unlinkat(parent, name, 0);
    return;
  } catch (error) {
    if (isSysError(error, "ENOENT")) return;
    if (!isSysError(error, "EISDIR")) throw at(error, path);
  }
  try {
    using directory = new Fd(
      ops.openat2(parent, name, {
        flags: O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC,
        resolve: RESOLVE.NO_XDEV | RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH,
      }),
    );
    empty(directory, path);
    for (let tries = 1; !removeEmpty(parent, name, tries === REMOVE_TRIES); tries++) empty(directory, path);
  } catch (error) {
    throw at(error, path);
  }
}

/** How often a directory is emptied in which somebody else still makes files. */
const REMOVE_TRIES = 10;

function empty(directory: Fd, path: string): void {
  for (const { name } of ops.readdirFd(directory.number)) removeAt(directory.number, name, `${path}/${name}`);
}

/** False when it is not empty any more, which is an error the last time. */
function removeEmpty(parent: number, name: string, last: boolean): boolean {
  try {
    ops.unlinkat(parent, name, AT.REMOVEDIR);
    return true;
  } catch (error) {
    if (!last && isSysError(error, "ENOTEMPTY")) return false;
    throw error;
  }
}

/** The same error with the whole path, where the op knew only a name. */
function at(error: unknown, path: string): unknown {
  if (!isSysError(error) || error.path.startsWith(path)) return error;
  return new SysError(error.code, error.syscall, path, error.errno);
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : trimmed.slice(0, slash);
}
