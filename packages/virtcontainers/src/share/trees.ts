import { AT, isSysError, KataError, MNT, MOUNT_ATTR, MOVE_MOUNT, O, ops } from "@kata-containers/sys";

/**
 * The directory that the guest sees, and the trees attached below it. A tree is a descriptor from
 * open_tree(OPEN_TREE_CLONE), made by whoever is in the right mount namespace; here it becomes a mount of the daemon's
 * namespace. A read-only tree is read-only on this side: what the guest does with its own flags does not matter.
 */
export class ShareTrees {
  readonly #dir: string;
  readonly #attached = new Map<string, { path: string; directory: boolean }>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes an empty directory in the share. @param name relative, without `..` */
  makeDir(name: string): void {
    let path = this.#dir;
    for (const part of name.split("/")) {
      path += `/${part}`;
      unless("EEXIST", () => ops.mkdir(path, 0o755));
    }
  }

  /**
   * Attaches a tree as `name`.
   * @param tree not consumed: the caller closes it.
   * @throws KataError Internal naming `what`.
   */
  attach(name: string, tree: number, options: { directory: boolean; readOnly: boolean; what: string }): void {
    const path = `${this.#dir}/${name}`;
    try {
      if (options.directory) this.makeDir(name);
      else ops.close(ops.open(path, O.CREAT | O.EXCL | O.WRONLY | O.CLOEXEC, 0o600));
      if (options.readOnly) {
        ops.mountSetattr(tree, "", AT.EMPTY_PATH | AT.RECURSIVE, { set: MOUNT_ATTR.RDONLY });
      }
      ops.moveMount(tree, "", AT.FDCWD, path, MOVE_MOUNT.F_EMPTY_PATH);
    } catch (cause) {
      throw new KataError("Internal", `cannot share ${options.what}: ${KataError.from(cause).message}`, {
        cause,
      });
    }
    this.#attached.set(name, { path, directory: options.directory });
  }

  /** Makes an attached tree read-only on this side, after what had to be written is written. */
  makeReadOnly(name: string): void {
    ops.mountSetattr(AT.FDCWD, `${this.#dir}/${name}`, AT.RECURSIVE, { set: MOUNT_ATTR.RDONLY });
  }

  /** Detaches `name`, if it is attached; what held files open in it keeps them. */
  detach(name: string): void {
    const tree = this.#attached.get(name);
    if (tree === undefined) return;
    this.#attached.delete(name);
    unless("EINVAL", () => ops.umount(tree.path, MNT.DETACH));
    unless("ENOENT", () => (tree.directory ? ops.rmdir(tree.path) : ops.unlink(tree.path)));
  }
}

function unless(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSysError(error, code)) throw error;
  }
}
