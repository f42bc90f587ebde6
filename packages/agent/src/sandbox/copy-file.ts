import type { CopyFileRequest } from "@kata-containers/protocols";
import { Fd, isSysError, KataError, O, ops, RESOLVE, S } from "@kata-containers/sys";
import { checkRunPath } from "../check.ts";
import { SHARED } from "../paths.ts";

/** No symbolic link on the way: a container may have put one there, and the path must not leave the directory. */
const CONFINED = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS;
const PERMISSIONS = 0o7777;
const DEFAULT_DIR_MODE = 0o755;
/** A uid or gid as chown(2) takes it; -1 would mean "leave". */
const MAX_ID = 0x7fffffff;

/**
 * CopyFile: makes a file, a directory or a symbolic link (by the type in `file_mode`; `data` is a link's target) below the share's
 * directory. A file comes in chunks, in order, and appears under its name with the last one, complete.
 * @param root the share's directory, for tests
 * @throws KataError InvalidArgument for a path outside of the share, an unknown type or a chunk outside of the file;
 *   FailedPrecondition for a chunk that does not follow the one before
 */
export function copyFile(request: CopyFileRequest, root: string = SHARED): void {
  const parts = checkRequest(request);
  const name = parts.pop() ?? "";
  using directory = openParent(root, parts, request.dirMode & PERMISSIONS || DEFAULT_DIR_MODE);
  const type = request.fileMode & S.IFMT;
  if (type === S.IFREG || type === 0) writeChunk(directory, name, request);
  else if (type === S.IFDIR) makeDirectory(directory, name, request);
  else if (type === S.IFLNK) makeLink(directory, name, ops.utf8Decode(request.data));
  else throw invalid(`file_mode ${request.fileMode.toString(8)}: not a file, a directory or a symbolic link`);
}

/** The path's members below the share. */
function checkRequest({ path, uid, gid, offset, data, fileSize }: CopyFileRequest): string[] {
  const checked = checkRunPath(path, "path");
  if (!checked.startsWith(`${SHARED}/`))
    throw invalid(`path: ${JSON.stringify(path)} is not below ${SHARED}`);
  if (uid < 0 || gid < 0 || uid > MAX_ID || gid > MAX_ID) throw invalid(`uid ${uid}, gid ${gid}: no ids`);
  if (offset < 0 || offset + data.length > fileSize)
    throw invalid(`offset ${offset}, ${data.length} bytes: outside of a file of ${fileSize}`);
  return checked.slice(SHARED.length + 1).split("/");
}

/** The directory at the end of `parts`; those that are missing are made. */
function openParent(root: string, parts: readonly string[], mode: number): Fd {
  let at = new Fd(ops.open(root, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
  for (const part of parts) {
    using parent = at;
    makeIfMissing(parent, part, mode);
    at = openBelow(parent, part, O.PATH | O.DIRECTORY);
  }
  return at;
}

function openBelow(directory: Fd, name: string, flags: number): Fd {
  try {
    const mode = (flags & O.CREAT) === 0 ? {} : { mode: 0o600 };
    const how = { flags: flags | O.CLOEXEC, resolve: CONFINED, ...mode };
    return new Fd(ops.openat2(directory.number, name, how));
  } catch (error) {
    if (isSysError(error, "ELOOP")) throw invalid(`path: ${JSON.stringify(name)} is a symbolic link`);
    throw error;
  }
}

function makeIfMissing(directory: Fd, name: string, mode: number): void {
  try {
    ops.mkdirat(directory.number, name, mode);
  } catch (error) {
    if (!isSysError(error, "EEXIST")) throw error;
  }
}

function writeChunk(directory: Fd, name: string, request: CopyFileRequest): void {
  const { offset, data, fileSize, uid, gid, fileMode } = request;
  const partial = `${name}.tmp`;
  // A container may have put a FIFO there: it must not hold us.
  const flags = O.WRONLY | O.NOFOLLOW | O.NONBLOCK | (offset === 0 ? O.CREAT | O.TRUNC : 0);
  using file = openBelow(directory, partial, flags);
  const { size, mode } = ops.fstat(file.number);
  if ((mode & S.IFMT) !== S.IFREG) throw invalid(`path: ${JSON.stringify(partial)} is no file`);
  if (size !== offset)
    throw new KataError("FailedPrecondition", `offset ${offset}: ${size} bytes of ${name} are here`);
  if (ops.pwrite(file.number, data, offset) < data.length)
    throw new KataError("ResourceExhausted", "disk full");
  if (offset + data.length < fileSize) return;
  ops.fchown(file.number, uid, gid);
  // After the owner, whose change takes set-user-ID away.
  ops.fchmod(file.number, fileMode & PERMISSIONS);
  ops.rename(pathIn(directory, partial), pathIn(directory, name));
}

function makeDirectory(directory: Fd, name: string, { fileMode, uid, gid }: CopyFileRequest): void {
  makeIfMissing(directory, name, 0o700);
  using made = openBelow(directory, name, O.RDONLY | O.DIRECTORY);
  ops.fchown(made.number, uid, gid);
  ops.fchmod(made.number, fileMode & PERMISSIONS);
}

/** Takes the place of what has the name, as a file does. */
function makeLink(directory: Fd, name: string, target: string): void {
  if (target === "" || target.includes("\0")) throw invalid("data: is no target of a symbolic link");
  const partial = `${name}.tmp`;
  try {
    ops.unlinkat(directory.number, partial, 0);
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
  ops.symlink(target, pathIn(directory, partial));
  ops.rename(pathIn(directory, partial), pathIn(directory, name));
}

/** One name in a directory that is open: its path cannot lead elsewhere meanwhile. */
function pathIn(directory: Fd, name: string): string {
  return `/proc/self/fd/${directory.number}/${name}`;
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}
