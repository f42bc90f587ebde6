import { ops } from "@kata-containers/sys";

/** The path, from the current directory when it is relative; "." and ".." resolved by name, slashes at the end cut. */
export function absolutePath(path: string): string {
  return joinPath(path.startsWith("/") ? "/" : ops.readlink("/proc/self/cwd"), path);
}

/** `path` as seen from the directory `base`. */
export function joinPath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
