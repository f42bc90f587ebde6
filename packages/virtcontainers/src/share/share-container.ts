import type { Spec } from "@kata-containers/oci";
import { type Fd, KataError } from "@kata-containers/sys";
import type { Container } from "../container.ts";
import { GUEST_SHARED_DIR, volumeName } from "../paths.ts";
import { guestSpec } from "../spec/guest-spec.ts";
import { isReadOnly, mountPlace } from "../spec/shared-mounts.ts";
import { type GuestStorage, memoryVolume, treeBytes } from "./memory-volume.ts";
import type { ShareTrees } from "./trees.ts";

/** What a sandbox does with the share: `ShareTrees`, or a fake. */
export type Trees = Pick<ShareTrees, "attach" | "detach" | "makeReadOnly">;

/** A tree of the host for one mount of the spec; the descriptor stays the caller's. */
export type VolumeTree = { readonly index: number; readonly tree: Fd; readonly directory: boolean };

/** What of a container is the host's; the descriptors stay the caller's. */
export type ContainerTrees = { readonly rootfs: Fd; readonly volumes: readonly VolumeTree[] };

/** What the guest gets of a container. */
export type SharedContainer = {
  readonly spec: Spec;
  /** What the agent mounts for it. */
  readonly storages: readonly GuestStorage[];
  /** Size of the host's /dev/shm when the spec binds it, bytes. */
  readonly shmBytes: number | undefined;
};

/**
 * Attaches a container's trees to the share, and notes them in `container.shared`, which is to be detached.
 * @param memoryMiB the virtual machine's memory
 * @throws KataError naming the mount
 */
export function shareContainer(
  trees: Trees,
  container: Container,
  given: ContainerTrees,
  memoryMiB: number,
): SharedContainer {
  const { id, spec, shared } = container;
  const attach = (name: string, tree: Fd, options: Parameters<Trees["attach"]>[2]): string => {
    trees.attach(name, tree.number, options);
    shared.push(name);
    return `${GUEST_SHARED_DIR}/${name}`;
  };
  const rootfs = attach(rootfsName(id), given.rootfs, {
    directory: true,
    readOnly: false,
    what: "root file system",
  });
  const volumes = new Map<number, string>();
  const storages: GuestStorage[] = [];
  let shmBytes: number | undefined;
  for (const { index, tree, directory } of given.volumes) {
    const mount = spec.mounts?.[index];
    if (mount === undefined) throw new KataError("InvalidArgument", `mount ${index} is not in config.json`);
    const place = mountPlace(mount);
    if (place === "shm") {
      shmBytes = treeBytes(tree);
      continue;
    }
    const inMemory = place === "emptyDir" ? memoryVolume(mount.source ?? "", tree, memoryMiB) : undefined;
    if (inMemory !== undefined) {
      storages.push(inMemory);
      volumes.set(index, inMemory.mountPoint);
      continue;
    }
    const options = { directory, readOnly: isReadOnly(mount), what: `mount ${mount.destination}` };
    volumes.set(index, attach(volumeName(id, mount.destination), tree, options));
  }
  return { spec: guestSpec(spec, { rootfs, volumes }), storages, shmBytes };
}

/** Where a container's root file system is below the share. */
export function rootfsName(containerId: string): string {
  return `${containerId}/rootfs`;
}
