/** Exit statuses that a shell gives for the same failures (POSIX, XCU 2.8.2), and docker and podman as well. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const FAILURE = 1;

/**
 * What `run` and `exec` exit with when the process cannot be started. Only the text crosses from the guest, and it is
 * the text that callers of runc look for, so it is what tells the cases apart.
 */
export function launchFailureStatus(message: string): number {
  const exec = /exec: .*$/.exec(message)?.[0];
  if (exec === undefined) return FAILURE;
  if (/executable file not found in \$PATH|no such file or directory/.test(exec)) return NOT_FOUND;
  if (/permission denied|is a directory|exec format error/.test(exec)) return NOT_EXECUTABLE;
  return FAILURE;
}
