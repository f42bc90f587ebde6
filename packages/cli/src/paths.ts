import { joinPath, ops } from "@kata-containers/sys";

/** The path, from the current directory when it is relative; "." and ".." resolved by name, slashes at the end cut. */
export function absolutePath(path: string): string {
  return joinPath(path.startsWith("/") ? "/" : ops.readlink("/proc/self/cwd"), path);
}
