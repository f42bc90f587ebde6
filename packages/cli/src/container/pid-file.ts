import { KataError, replaceFile } from "@kata-containers/sys";
import { absolutePath } from "../paths.ts";

/** Writes a pid file whole or not at all: decimal, no newline, as runc. */
export function writePidFile(path: string, pid: number): void {
  try {
    replaceFile(absolutePath(path), String(pid), 0o644);
  } catch (error) {
    throw KataError.from(error, "cannot write the pid file");
  }
}
