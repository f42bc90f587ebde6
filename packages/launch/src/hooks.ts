import { type Hook, type Hooks, OCI_VERSION, type Spec, type State } from "@kata-containers/oci";
import { type AbortSignalLike, KataError } from "@kata-containers/sys";
import { HOOK_SECONDS, runHook } from "./hook-process.ts";

/** In the order of a container's life: OCI runtime-spec, config.md, "POSIX-platform Hooks". */
export type HookKind = keyof Hooks;

/** Whose hooks they are. */
export interface HookedContainer {
  readonly id: string;
  readonly bundle: string;
  readonly ociVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Descriptors of the namespaces that its hooks run in: the runtime's. Absent: this process is in them. */
  readonly hostNamespaces?: readonly number[];
}

/**
 * The states in which a kind of hook sees the container. "created" begins when the runtime environment has been made, which is
 * before the hooks of create (runtime.md, "State": "after step 2 in the lifecycle"; "Lifecycle", steps 2 to 5).
 */
const STATUS = {
  prestart: "created",
  createRuntime: "created",
  createContainer: "created",
  startContainer: "created",
  poststart: "running",
  poststop: "stopped",
} as const satisfies Readonly<Record<HookKind, State["status"]>>;

/** Who a bundle's hooks are told of. */
export function hookedContainer(id: string, bundle: string, spec: Spec): HookedContainer {
  return { id, bundle, ociVersion: spec.ociVersion, annotations: spec.annotations ?? {} };
}

/** What a hook reads on its standard input. @param pid of the container's process (in a VM: kata-shim's); 0: none is told */
export function hookState(kind: HookKind, container: HookedContainer, pid: number): string {
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

/** How long the hooks of create that run on the host may take all together, seconds. */
export function createHookSeconds(hooks: Hooks | undefined): number {
  return secondsOf(createHooks(hooks).map(({ hook }) => hook));
}

/** How long hooks may take all together, seconds. */
export function secondsOf(hooks: readonly Hook[] | undefined): number {
  return (hooks ?? []).reduce((sum, hook) => sum + (hook.timeout ?? HOOK_SECONDS), 0);
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
    await runHook(hook, name, hookState(kind, container, pid), stop, container.hostNamespaces);
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
      const state = hookState(kind, container, pid);
      await runHook(hook, `hook ${kind}[${index}]`, state, undefined, container.hostNamespaces);
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
