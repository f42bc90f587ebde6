import type { Hooks } from "@kata-containers/oci";

/** The hooks that are left when a container has been created. */
export type LaterHooks = Pick<Hooks, "startContainer" | "poststart" | "poststop">;

/** undefined: there are none, and the commands after create need not think of them. */
export function laterHooks(hooks: Hooks | undefined): LaterHooks | undefined {
  const { startContainer = [], poststart = [], poststop = [] } = hooks ?? {};
  if (startContainer.length + poststart.length + poststop.length === 0) return undefined;
  return { startContainer, poststart, poststop };
}

/** Whether `start` has to know when the program runs: poststart hooks come after it, and a startContainer hook may prevent it. */
export function startIsWatched(hooks: LaterHooks | undefined): boolean {
  return (hooks?.startContainer?.length ?? 0) + (hooks?.poststart?.length ?? 0) > 0;
}
