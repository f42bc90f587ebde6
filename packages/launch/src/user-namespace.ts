import { exists, readText } from "@kata-containers/sys";

const UID_MAP = "/proc/self/uid_map";

/** Whether we are in another user namespace than the host's first: what its root is, is not the host's root. */
export function isInUserNamespace(): boolean {
  // A kernel without user namespaces has no such file.
  return exists(UID_MAP) && !isInitialMap(readText(UID_MAP));
}

/** user_namespaces(7): the first namespace maps all ids to themselves; one whose map is not written yet is none. */
export function isInitialMap(text: string): boolean {
  return /^\s*0\s+0\s+4294967295\n$/.test(text);
}
