import { AT, Fd, KataError, MOUNT_ATTR, MS, OPEN_TREE, ops } from "@kata-containers/sys";
import type { BindMount, Bundle } from "./bundle.ts";

/** A clone of one mount tree, attached nowhere: open_tree(2) with OPEN_TREE_CLONE. */
export interface VolumeTree {
  readonly volume: BindMount;
  readonly tree: Fd;
}

/** Clones of a container's root file system and bind mounts, made in the caller's mount namespace. */
export interface Trees extends Disposable {
  readonly rootfs: Fd;
  readonly volumes: readonly VolumeTree[];
}

/**
 * Clones the trees of a bundle.
 * A read-only volume's clone is read-only itself: whoever gets the descriptor cannot write through it.
 * @throws KataError naming the path
 */
export function openTrees(bundle: Bundle): Trees {
  using opened = new DisposableFds();
  const rootfs = opened.own(cloneTree(bundle.rootfs, true));
  const volumes = bundle.volumes.map((volume) => ({
    volume,
    tree: opened.own(cloneTree(volume.source, volume.recursive)),
  }));
  for (const { volume, tree } of volumes) restrict(volume, tree);
  const owned = opened.move();
  return { rootfs, volumes, [Symbol.dispose]: () => owned[Symbol.dispose]() };
}

function cloneTree(path: string, recursive: boolean): Fd {
  try {
    const fd = new Fd(
      ops.openTree(AT.FDCWD, path, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (recursive ? AT.RECURSIVE : 0)),
    );
    // What the host mounts or unmounts below it later is no business of the sandbox, and the other way round.
    ops.mountSetattr(fd.number, "", AT.EMPTY_PATH | AT.RECURSIVE, { propagation: MS.PRIVATE });
    return fd;
  } catch (error) {
    throw KataError.from(error, `cannot take the mounts at ${path}`);
  }
}

function restrict(volume: BindMount, tree: Fd): void {
  if (volume.readonly === "no") return;
  const depth = volume.readonly === "rro" ? AT.RECURSIVE : 0;
  try {
    ops.mountSetattr(tree.number, "", AT.EMPTY_PATH | depth, { set: MOUNT_ATTR.RDONLY });
  } catch (error) {
    throw KataError.from(error, `cannot make volume ${volume.source} read-only`);
  }
}

/** Descriptors that are closed together. */
class DisposableFds implements Disposable {
  #fds: Fd[] = [];

  own(fd: Fd): Fd {
    this.#fds.push(fd);
    return fd;
  }

  move(): DisposableFds {
    const moved = new DisposableFds();
    moved.#fds = this.#fds;
    this.#fds = [];
    return moved;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) fd.close();
  }
}
