import { Fd, isSysError, KataError, mkdirp, ops, S, unlinkIfThere } from "@kata-containers/sys";

/**
 * A listening socket that only root may connect to. One that nobody serves any more is removed.
 * @param what names it in errors: "the shim's socket" @param serving what is said when somebody serves it
 * @throws KataError AlreadyExists when somebody serves it, or something else is there
 */
export async function listenOnce(path: string, what: string, serving: string): Promise<Fd> {
  mkdirp(path.slice(0, path.lastIndexOf("/")), 0o711);
  try {
    return bind(path);
  } catch (error) {
    if (!isSysError(error, "EADDRINUSE")) throw KataError.from(error, `cannot make ${what}`);
  }
  if (!isSocket(path)) throw new KataError("AlreadyExists", `${path}: is there already, and is no socket`);
  if (await isServed(path)) throw new KataError("AlreadyExists", `${path}: ${serving}`);
  try {
    unlinkIfThere(path);
    return bind(path);
  } catch (error) {
    throw KataError.from(error, `cannot make ${what}`);
  }
}

function bind(path: string): Fd {
  return new Fd(ops.unixListen(path, 64, 0o600));
}

/** Nothing there any more is as good. */
function isSocket(path: string): boolean {
  return ((ops.statIfThere(path)?.mode ?? S.IFSOCK) & S.IFMT) === S.IFSOCK;
}

async function isServed(path: string): Promise<boolean> {
  try {
    ops.close(await ops.unixConnect(path));
    return true;
  } catch (error) {
    if (isSysError(error, "ECONNREFUSED", "ENOENT")) return false;
    throw KataError.from(error, `cannot tell whether ${path} is served`);
  }
}
