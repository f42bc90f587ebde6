import type { Hooks } from "./spec.ts";

/** The hooks that are left when a container has been created; in a VM there are none of startContainer. */
export type LaterHooks = Pick<Hooks, "startContainer" | "poststart" | "poststop">;

/** undefined: there are none, and the commands after create need not think of them. */
export function laterHooks(hooks: Hooks | undefined): LaterHooks | undefined {
  const { startContainer = [], poststart = [], poststop = [] } = hooks ?? {};
  if (startContainer.length + poststart.length + poststop.length === 0) return undefined;
  return { startContainer, poststart, poststop };
}
