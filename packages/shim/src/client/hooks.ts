import { type Hook, type Hooks, OCI_VERSION, type State } from "@kata-containers/oci";
import { type AbortSignalLike, KataError } from "@kata-containers/sys";
import { HOOK_SECONDS, runHook } from "./hook-process.ts";

/** The kinds that run on the host, in the caller's namespaces, in the order of a container's life: OCI runtime-spec, config.md, "POSIX-platform Hooks". */
export type HostHookKind = "prestart" | "createRuntime" | "poststart" | "poststop";

/** Whose hooks they are. */
export interface HookedContainer {
  readonly id: string;
  readonly bundle: string;
  readonly ociVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The states in which a kind of hook sees the container. */
const STATUS = {
  prestart: "creating",
  createRuntime: "creating",
  poststart: "running",
  poststop: "stopped",
} as const satisfies Readonly<Record<HostHookKind, State["status"]>>;

/** What a hook reads on its standard input. @param pid kata-shim's, in the sandbox's network namespace; 0: none is left */
export function hookState(kind: HostHookKind, container: HookedContainer, pid: number): string {
  const { id, bundle, ociVersion, annotations } = container;
  const state: State = {
    ociVersion: ociVersion === "" ? OCI_VERSION : ociVersion,
    id,
    status: STATUS[kind],
    ...(pid === 0 ? {} : { pid }),
    bundle,
    annotations,
  };
  return JSON.stringify(state);
}

/** Whether create has hooks to run. */
export function hasCreateHooks(hooks: Hooks | undefined): boolean {
  return createHooks(hooks).length > 0;
}

/** How long the hooks of create may take all together, seconds. */
export function createHookSeconds(hooks: Hooks | undefined): number {
  return createHooks(hooks).reduce((sum, { hook }) => sum + (hook.timeout ?? HOOK_SECONDS), 0);
}

/**
 * Runs prestart and then createRuntime hooks, in order.
 * @param stop aborts them: the one that runs is killed
 * @throws KataError of the first that fails; the others do not run
 */
export async function runCreateHooks(
  hooks: Hooks | undefined,
  container: HookedContainer,
  pid: number,
  stop: AbortSignalLike,
): Promise<void> {
  for (const { kind, hook, name } of createHooks(hooks)) {
    if (stop.aborted) throw new KataError("Canceled", `${name} ${hook.path}: not run`);
    await runHook(hook, name, hookState(kind, container, pid), stop);
  }
}

/** Runs hooks whose failure changes nothing any more: each is told to `warn`, and the next one runs. */
export async function runLaterHooks(
  kind: "poststart" | "poststop",
  hooks: readonly Hook[] | undefined,
  container: HookedContainer,
  pid: number,
  warn: (message: string) => void,
): Promise<void> {
  for (const [index, hook] of (hooks ?? []).entries()) {
    try {
      await runHook(hook, `hook ${kind}[${index}]`, hookState(kind, container, pid));
    } catch (error) {
      warn(KataError.from(error).message);
    }
  }
}

function createHooks(hooks: Hooks | undefined) {
  return (["prestart", "createRuntime"] as const).flatMap((kind) =>
    (hooks?.[kind] ?? []).map((hook, index) => ({ kind, hook, name: `hook ${kind}[${index}]` })),
  );
}
