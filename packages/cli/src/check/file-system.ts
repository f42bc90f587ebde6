import { exists } from "@kata-containers/sys";

export interface FileSystem {
  readonly name: string;
  /** Locks and sockets are not dependable there. */
  readonly remote?: true;
}

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, FileSystem>> = {
  16914836: { name: "tmpfs" },
  2240043254: { name: "ramfs" },
  61267: { name: "ext4" },
  1481003842: { name: "xfs" },
  2435016766: { name: "btrfs" },
  2035054128: { name: "overlay" },
  801189825: { name: "zfs" },
  26985: { name: "nfs", remote: true },
  4283649346: { name: "cifs", remote: true },
  4266872130: { name: "smb2", remote: true },
  1702057286: { name: "fuse", remote: true },
  16914839: { name: "9p", remote: true },
};

/** @param type as statfs(2) gives it, also where that is negative */
export function fileSystem(type: number): FileSystem {
  return FILE_SYSTEMS[type < 0 ? type + 2 ** 32 : type] ?? { name: `file system 0x${type.toString(16)}` };
}

/** The directory itself, or the one above it that is there: it is made when it is needed. */
export function nearestThere(path: string): string {
  if (path === "/" || exists(path)) return path;
  return nearestThere(path.slice(0, path.lastIndexOf("/")) || "/");
}
