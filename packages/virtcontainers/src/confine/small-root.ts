import {
  AT,
  CLONE,
  exists,
  Fd,
  isSysError,
  KataError,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  mkdirp,
  O,
  OPEN_TREE,
  ops,
  S,
} from "@kata-containers/sys";

/** Something of the host's file system that stays visible in a small root, at `target` below it. */
export type Bind = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** With the mounts below it. */
  readonly recursive?: boolean;
  /** Device nodes in it may be opened. */
  readonly devices?: boolean;
  /** Leave it out when the host has none. */
  readonly optional?: boolean;
  /** What the thing is, for the error when it is missing: `kernel (hypervisor.qemu.kernel)`. */
  readonly what: string;
};

/** A directory of the small root that is an empty tmpfs of its own; `binds` are attached below it. */
export type Room = {
  readonly target: string;
  readonly readOnly: boolean;
  readonly binds: readonly Bind[];
  /** Empty directories in it, for what is mounted later. */
  readonly places?: readonly string[];
  /** The same tmpfs once more, at a place where nobody can write to it. */
  readonly readOnlyView?: string;
  /** Most that it holds, see tmpfs(5), "0" being no limit; a megabyte when nothing is said. */
  readonly size?: string;
};

/**
 * Moves this process to a mount namespace of its own whose root holds `binds` and `rooms` and nothing else: no mount
 * of the host stays busy because of it, and its own mounts end with it. To be called before another thread exists.
 * @param scratch an existing directory to build the root on; hidden only in the new namespace.
 * @throws KataError NotFound naming what is missing; Internal.
 */
export function enterSmallRoot(scratch: string, binds: readonly Bind[], rooms: readonly Room[]): void {
  ops.unshare(CLONE.NEWNS);
  ops.mount("none", "/", "", MS.REC | MS.PRIVATE, "");
  using trees = new TreeList();
  // Every source is taken before anything is mounted: one may lie below the scratch directory.
  const own = trees.takeAll(binds);
  const perRoom = rooms.map((room) => ({ room, trees: trees.takeAll(room.binds) }));
  mountTmpfs(scratch);
  for (const tree of own) attach(tree, scratch);
  for (const { room, trees: inside } of perRoom) {
    mkdirp(scratch + room.target);
    mountTmpfs(scratch + room.target, room.size);
    for (const tree of inside) attach(tree, scratch + room.target);
    for (const place of room.places ?? []) mkdirp(scratch + room.target + place);
    if (room.readOnly) makeReadOnly(scratch + room.target);
    if (room.readOnlyView !== undefined) attachReadOnlyView(scratch, room.target, room.readOnlyView);
  }
  ops.chdir(scratch);
  ops.pivotRoot(".", ".");
  ops.umount(".", MNT.DETACH);
  ops.chdir("/");
  makeReadOnly("/");
}

/** Attaches a directory of the host's that was not known of when the small root was made. Nothing when it is visible there already. */
export function attachLater(tree: Fd, target: string): void {
  const [there, own] = [ops.statIfThere(target), ops.fstat(tree.number)];
  // Something else may be there: a directory that was made as a place for another one.
  if (there?.dev === own.dev && there.ino === own.ino) return;
  ops.mountSetattr(tree.number, "", AT.EMPTY_PATH, {
    set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV,
    propagation: MS.PRIVATE,
  });
  ops.mountSetattr(AT.FDCWD, "/", 0, { clear: MOUNT_ATTR.RDONLY });
  try {
    mkdirp(target);
    ops.moveMount(tree.number, "", AT.FDCWD, target, MOVE_MOUNT.F_EMPTY_PATH);
  } finally {
    makeReadOnly("/");
  }
}

type Tree = { readonly bind: Bind; readonly fd: Fd; readonly directory: boolean };

class TreeList implements Disposable {
  readonly #taken: Fd[] = [];

  takeAll(binds: readonly Bind[]): Tree[] {
    return binds.flatMap((bind) => {
      const fd = openSource(bind);
      if (fd === undefined) return [];
      this.#taken.push(fd);
      restrict(fd, bind);
      return [{ bind, fd, directory: (ops.fstat(fd.number).mode & S.IFMT) === S.IFDIR }];
    });
  }

  [Symbol.dispose](): void {
    for (const fd of this.#taken) fd.close();
  }
}

function openSource(bind: Bind): Fd | undefined {
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (bind.recursive ? AT.RECURSIVE : 0);
  try {
    return new Fd(ops.openTree(AT.FDCWD, bind.source, flags));
  } catch (cause) {
    const missing = isSysError(cause, "ENOENT", "ENOTDIR");
    if (missing && bind.optional) return undefined;
    const why = missing ? "no such file or directory" : KataError.from(cause).message;
    throw new KataError(missing ? "NotFound" : "Internal", `${bind.what} ${bind.source}: ${why}`, { cause });
  }
}

function restrict(tree: Fd, bind: Bind): void {
  const set =
    MOUNT_ATTR.NOSUID | (bind.devices ? 0 : MOUNT_ATTR.NODEV) | (bind.readOnly ? MOUNT_ATTR.RDONLY : 0);
  const flags = AT.EMPTY_PATH | (bind.recursive ? AT.RECURSIVE : 0);
  ops.mountSetattr(tree.number, "", flags, { set, propagation: MS.PRIVATE });
}

function attach(tree: Tree, root: string): void {
  const { target } = tree.bind;
  // Visible already: it lies inside a directory that was attached before.
  if (exists(root + target)) {
    if (!tree.directory) return;
  } else if (tree.directory) {
    mkdirp(root + target);
  } else {
    mkdirp(root + target.slice(0, target.lastIndexOf("/")));
    ops.close(ops.open(root + target, O.CREAT | O.WRONLY | O.CLOEXEC, 0o600));
  }
  ops.moveMount(tree.fd.number, "", AT.FDCWD, root + target, MOVE_MOUNT.F_EMPTY_PATH);
}

function mountTmpfs(path: string, size = "1m"): void {
  ops.mount("tmpfs", path, "tmpfs", MS.NOSUID | MS.NODEV, `mode=0755,size=${size}`);
}

function attachReadOnlyView(root: string, target: string, view: string): void {
  mkdirp(root + view);
  using clone = new Fd(ops.openTree(AT.FDCWD, root + target, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC));
  ops.mountSetattr(clone.number, "", AT.EMPTY_PATH, { set: MOUNT_ATTR.RDONLY });
  ops.moveMount(clone.number, "", AT.FDCWD, root + view, MOVE_MOUNT.F_EMPTY_PATH);
}

function makeReadOnly(path: string): void {
  ops.mountSetattr(AT.FDCWD, path, 0, { set: MOUNT_ATTR.RDONLY });
}
