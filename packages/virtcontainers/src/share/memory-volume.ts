import { type Fd, ops } from "@kata-containers/sys";
import { GUEST_EPHEMERAL_DIR, GUEST_SHM } from "../paths.ts";

/** A storage request to the agent, as CreateSandbox and CreateContainer take it. */
export type GuestStorage = {
  readonly driver: string;
  readonly source: string;
  readonly fstype: string;
  readonly options: readonly string[];
  readonly mountPoint: string;
};

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;
/** /dev/shm's size when nothing says otherwise: docker's and podman's default. */
const DEFAULT_SHM_BYTES = 64 << 20;

/** Size of the file system that a tree is of, bytes. */
export function treeBytes(tree: Fd): number {
  const { blocks, bsize } = ops.statfs(`/proc/self/fd/${tree.number}`);
  return blocks * bsize;
}

/** The sandbox's /dev/shm. @param bytes of the host's, when a container brings one */
export function shmStorage(bytes: number | undefined): GuestStorage {
  const options = ["nosuid", "noexec", "nodev", "mode=1777", `size=${bytes ?? DEFAULT_SHM_BYTES}`];
  return { driver: "ephemeral", source: "shm", fstype: "tmpfs", options, mountPoint: GUEST_SHM };
}

/**
 * A pod's emptyDir in memory (`medium: Memory`), which is a tmpfs on the host: one of the guest, of the same size, owner and
 * mode. It is there until the sandbox ends, and every container of the pod that names it gets the same.
 * @param source the volume's directory on the host
 * @param memoryMiB the virtual machine's memory, of which it may take half, as any tmpfs
 * @returns undefined: the emptyDir is on a disk of the host
 */
export function memoryVolume(source: string, tree: Fd, memoryMiB: number): GuestStorage | undefined {
  if (ops.statfs(`/proc/self/fd/${tree.number}`).type !== TMPFS_MAGIC) return undefined;
  const { mode, uid, gid } = ops.fstat(tree.number);
  const size = Math.min(treeBytes(tree), (memoryMiB << 20) / 2);
  return {
    driver: "ephemeral",
    source: "tmpfs",
    fstype: "tmpfs",
    options: [`size=${size}`, `mode=${(mode & 0o7777).toString(8)}`, `uid=${uid}`, `gid=${gid}`],
    mountPoint: `${GUEST_EPHEMERAL_DIR}/${source.split("/").filter(Boolean).at(-1)}`,
  };
}
