import { exists, Fd, KataError, ops, removeTree, writeFileAtomic } from "@kata-containers/sys";
import { RUNTIME_DIR } from "@kata-containers/virtcontainers";
import { type Finding, failure, ok, warning } from "./finding.ts";

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, { readonly name: string; readonly remote?: true }>> = {
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

/** A sandbox's record and sockets take less than this. */
const NEEDED_BYTES = 1 << 20;

/** Whether the runtime's directory and the records' take a file, synced and renamed, and a socket. */
export function checkStateDirectories(root: string): Finding[] {
  return [...new Set([RUNTIME_DIR, root])].map((directory) => {
    const place = nearestThere(directory);
    const trial = `${place === "/" ? "" : place}/.kata-check-${ops.getpid()}`;
    try {
      try {
        ops.mkdir(trial, 0o700);
        writeFileAtomic(`${trial}/record`, "x");
        using _ = new Fd(ops.unixListen(`${trial}/s`, 1));
      } finally {
        removeTree(trial);
      }
      return fileSystemFinding(directory, ops.statfs(place));
    } catch (error) {
      const advice = "make it a writable local file system, or name another by --root";
      return failure("state", `${directory}: ${KataError.from(error).message}`, advice);
    }
  });
}

function fileSystemFinding(
  directory: string,
  { type, bavail, bsize }: { type: number; bavail: number; bsize: number },
) {
  const known = FILE_SYSTEMS[type < 0 ? type + 2 ** 32 : type];
  const free = bavail * bsize;
  if (free < NEEDED_BYTES) return failure("state", `${directory}: ${free} bytes are free`, "make room");
  const name = known?.name ?? `file system 0x${type.toString(16)}`;
  if (known?.remote)
    return warning(
      "state",
      `${directory}: on ${name}`,
      "use a local file system: locks and sockets are not dependable there",
    );
  return ok("state", `${directory}: writable, on ${name}`);
}

/** The directory itself, or the one above it that is there: it is made when it is needed. */
function nearestThere(path: string): string {
  if (path === "/" || exists(path)) return path;
  return nearestThere(path.slice(0, path.lastIndexOf("/")) || "/");
}
