import { Fd, isSysError, KataError, O, ops, S, type Stat } from "@kata-containers/sys";

const MAX_BYTES = 1024 * 1024;

/**
 * Reads a configuration file that nobody but root and the caller can have written: it says which programs run as root.
 * @throws KataError PermissionDenied when others can change it; NotFound and others when it cannot be read
 */
export function readTrusted(path: string): string {
  using file = openFile(path);
  const stat = ops.fstat(file.number);
  // A terminal or a pipe would be waited for.
  if ((stat.mode & S.IFMT) !== S.IFREG)
    throw new KataError("InvalidArgument", `the configuration ${path}: is no file`);
  if (stat.size > MAX_BYTES)
    throw new KataError("InvalidArgument", `the configuration ${path}: is larger than ${MAX_BYTES} bytes`);
  refuseUntrusted(path, stat);
  return ops.utf8Decode(ops.pread(file.number, MAX_BYTES, 0));
}

/** As sudo and sshd do with their files: the owner is root or the caller, and nobody else may write. */
export function refuseUntrusted(path: string, { uid, mode }: Stat): void {
  if (uid !== 0 && uid !== ops.geteuid())
    throw new KataError(
      "PermissionDenied",
      `the configuration ${path}: belongs to user ${uid} (chown root ${path})`,
    );
  if ((mode & 0o022) !== 0)
    throw new KataError(
      "PermissionDenied",
      `the configuration ${path}: others can write it (chmod go-w ${path})`,
    );
}

function openFile(path: string): Fd {
  try {
    return new Fd(ops.open(path, O.RDONLY | O.CLOEXEC | O.NONBLOCK, 0));
  } catch (error) {
    if (!isSysError(error)) throw error;
    throw new KataError("NotFound", `cannot read the configuration: ${error.message}`, { cause: error });
  }
}
