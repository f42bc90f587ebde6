import {
  AT,
  CLONE,
  Fd,
  isSysError,
  KataError,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  O,
  ops,
} from "@kata-containers/sys";

/**
 * What a tree never has on this side, whatever the host's mount says: the guest makes device nodes and set-uid files,
 * its own kernel honours them, and nobody here, virtiofsd least of all, opens or executes them.
 */
const RESTRICTIONS = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV;

/** An empty directory, or an empty file, below the share. */
type MountPoint = { readonly name: string; readonly directory: boolean };

/**
 * The directory that the guest sees, and the trees attached below it. A tree is a descriptor from
 * open_tree(OPEN_TREE_CLONE), made by whoever is in the right mount namespace; here it becomes a mount of the daemon's
 * namespace. A read-only tree is read-only on this side: what the guest does with its own flags does not matter.
 */
export class ShareTrees {
  readonly #dir: string;
  readonly #places: string;
  readonly #attached = new Map<string, MountPoint>();

  /**
   * @param dir what the guest sees; read-only, so that it cannot put something else where a tree goes
   * @param places the same directory, writable
   */
  constructor(dir: string, places: string) {
    this.#dir = dir;
    this.#places = places;
  }

  /**
   * Attaches a tree as `name`, which is relative and without `..`.
   * @param tree not consumed: the caller closes it.
   * @throws KataError Internal naming `what`.
   */
  attach(name: string, tree: number, options: { directory: boolean; readOnly: boolean; what: string }): void {
    const { directory, readOnly, what } = options;
    const point = { name, directory };
    let made = false;
    try {
      const set = RESTRICTIONS | (readOnly ? MOUNT_ATTR.RDONLY : 0);
      ops.mountSetattr(tree, "", AT.EMPTY_PATH | AT.RECURSIVE, { set });
      this.#make(point);
      made = true;
      ops.moveMount(tree, "", AT.FDCWD, `${this.#dir}/${name}`, MOVE_MOUNT.F_EMPTY_PATH);
    } catch (cause) {
      if (made) this.#remove(point);
      throw new KataError("Internal", `cannot share ${what}: ${KataError.from(cause).message}`, { cause });
    }
    this.#attached.set(name, point);
  }

  /**
   * Makes an attached tree read-only on this side, after what had to be written is written: in this namespace, which others get
   * their mounts from, and in that of the process that serves the share, where the mount is one of its own by now.
   */
  makeReadOnly(name: string, serverPid: number): void {
    const restrict = () =>
      ops.mountSetattr(AT.FDCWD, `${this.#dir}/${name}`, AT.RECURSIVE, { set: MOUNT_ATTR.RDONLY });
    restrict();
    inMountNamespaceOf(serverPid, restrict);
  }

  /** Detaches `name`, if it is attached; what held files open in it keeps them. */
  detach(name: string): void {
    const point = this.#attached.get(name);
    if (point === undefined) return;
    this.#attached.delete(name);
    unless(["EINVAL"], () => ops.umount(`${this.#dir}/${name}`, MNT.DETACH));
    this.#remove(point);
  }

  /** Makes an empty directory or file, and the directories above it. */
  #make({ name, directory }: MountPoint): void {
    const path = `${this.#places}/${name}`;
    for (const parent of parentsOf(name).toReversed())
      unless(["EEXIST"], () => ops.mkdir(`${this.#places}/${parent}`, 0o755));
    if (directory) ops.mkdir(path, 0o755);
    else ops.close(ops.open(path, O.CREAT | O.EXCL | O.WRONLY | O.CLOEXEC, 0o600));
  }

  /** Removes it again, and the directories above it that hold nothing else. */
  #remove({ name, directory }: MountPoint): void {
    const path = `${this.#places}/${name}`;
    unless(["ENOENT"], () => (directory ? ops.rmdir(path) : ops.unlink(path)));
    for (const parent of parentsOf(name))
      unless(["ENOENT", "ENOTEMPTY"], () => ops.rmdir(`${this.#places}/${parent}`));
  }
}

/** "a/b/c": "a/b", "a". */
function parentsOf(name: string): string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, parts.length - 1 - index).join("/"));
}

/** setns(2): a thread may enter a mount namespace when no other one has its root and current directory. */
function inMountNamespaceOf(pid: number, work: () => void): void {
  using ours = new Fd(ops.open("/proc/thread-self/ns/mnt", O.RDONLY | O.CLOEXEC, 0));
  using theirs = new Fd(ops.open(`/proc/${pid}/ns/mnt`, O.RDONLY | O.CLOEXEC, 0));
  ops.unshare(CLONE.FS);
  ops.setns(theirs.number, CLONE.NEWNS);
  try {
    work();
  } finally {
    ops.setns(ours.number, CLONE.NEWNS);
  }
}

function unless(codes: readonly string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSysError(error, ...codes)) throw error;
  }
}
