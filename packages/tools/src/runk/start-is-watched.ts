import type { LaterHooks } from "@kata-containers/oci";

/** Whether `start` has to know when the program runs: poststart hooks come after it, and a startContainer hook may prevent it. */
export function startIsWatched(hooks: LaterHooks | undefined): boolean {
  return (hooks?.startContainer?.length ?? 0) + (hooks?.poststart?.length ?? 0) > 0;
}
