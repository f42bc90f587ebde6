import type { Spec } from "@kata-containers/oci";
import { HOOK_SECONDS } from "./hook-process.ts";
import { hasCreateHooks, hookedContainer, hookState } from "./hooks.ts";
import type { HookStep, Step } from "./plan.ts";

type Container = { readonly id: string; readonly bundle: string; readonly hookEnv?: readonly string[] };

/** What init asks the spawner for: to run the prestart and createRuntime hooks, whose namespaces are the spawner's. */
export const ASK_HOOKS = "hooks";

/**
 * The hooks of create: with the container's mounts in place, before its root becomes init's (OCI runtime-spec, config.md,
 * "POSIX-platform Hooks").
 */
export function createHookSteps(spec: Spec, container: Container): Step[] {
  return [
    ...(hasCreateHooks(spec.hooks) ? [{ op: "ask", what: ASK_HOOKS } as const] : []),
    ...innerHookSteps("createContainer", spec, container),
  ];
}

/** Hooks that init runs, for they belong in the container's namespaces. */
export function innerHookSteps(
  kind: "createContainer" | "startContainer",
  spec: Spec,
  { id, bundle, hookEnv = [] }: Container,
): HookStep[] {
  const state = hookState(kind, hookedContainer(id, bundle, spec), 0);
  return (spec.hooks?.[kind] ?? []).map((hook, index) => ({
    op: "hook",
    name: `hook ${kind}[${index}]`,
    path: hook.path,
    argv: hook.args?.length ? hook.args : [hook.path],
    env: hook.env ?? hookEnv,
    // Its pid, which only init knows, is the last member.
    state: [`${state.slice(0, -1)},"pid":`, "}"],
    seconds: hook.timeout ?? HOOK_SECONDS,
  }));
}
