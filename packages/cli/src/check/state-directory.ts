import { Fd, KataError, ops, removeTree, writeFileAtomic } from "@kata-containers/sys";
import { RUNTIME_DIR } from "@kata-containers/virtcontainers";
import { fileSystem, nearestThere } from "./file-system.ts";
import { type Finding, failure, ok, warning } from "./finding.ts";

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
  const { name, remote } = fileSystem(type);
  const free = bavail * bsize;
  if (free < NEEDED_BYTES) return failure("state", `${directory}: ${free} bytes are free`, "make room");
  if (remote)
    return warning(
      "state",
      `${directory}: on ${name}`,
      "use a local file system: locks and sockets are not dependable there",
    );
  return ok("state", `${directory}: writable, on ${name}`);
}
