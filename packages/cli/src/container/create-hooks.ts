import {
  createHookSeconds,
  hasCreateHooks,
  hookedContainer,
  runCreateHooks,
  runLaterHooks,
} from "@kata-containers/launch";
import type { Bundle } from "@kata-containers/shim";
import { Fd, KataError, ops, SOCK } from "@kata-containers/sys";
import type { ShimProcess } from "./shim-process.ts";

/**
 * The prestart and createRuntime hooks of a container that is being created. They run when its kata-shim stands in the
 * sandbox's namespaces, behind a gate that opens once they have ended: the process in the guest is made after that.
 */
export class CreateHooks implements Disposable {
  readonly #id: string;
  readonly #bundle: Bundle;
  readonly #stop = new AbortController();
  readonly #gate: { readonly ours: Fd; readonly shims: Fd } | undefined;
  #running: Promise<void> | undefined;

  constructor(id: string, bundle: Bundle) {
    this.#id = id;
    this.#bundle = bundle;
    if (!hasCreateHooks(bundle.spec.hooks)) return;
    const [ours = -1, shims = -1] = ops.socketpair(SOCK.STREAM);
    this.#gate = { ours: new Fd(ours), shims: new Fd(shims) };
  }

  /** kata-shim's end of the gate; undefined: there is nothing to wait for. */
  get gate(): Fd | undefined {
    return this.#gate?.shims;
  }

  /** How long they may take, seconds; undefined: there are none. */
  get seconds(): number | undefined {
    return this.#gate === undefined ? undefined : createHookSeconds(this.#bundle.spec.hooks);
  }

  /** Runs them, and opens the gate. @throws KataError of the hook that failed */
  async run(shim: ShimProcess): Promise<void> {
    if (this.#gate === undefined) return;
    const { ours, shims } = this.#gate;
    shims.close();
    const inPlace = await ops.read(ours.number, 1);
    if (inPlace.length === 0) throw new KataError("Unavailable", "kata-shim ended before the hooks");
    const { hooks } = this.#bundle.spec;
    this.#running = runCreateHooks(hooks, this.#container(), shim.pid, this.#stop.signal);
    await this.#running;
    ops.writeSync(ours.number, Uint8Array.of(0));
    ours.close();
  }

  /** Kills the one that runs, and waits for its end; the others will not run. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => {});
  }

  /** After a create that was undone: what its hooks have made, the poststop hooks remove (OCI runtime-spec, runtime.md, "Lifecycle"). */
  async undone(warn: (message: string) => void): Promise<void> {
    if (this.#running === undefined) return;
    await runLaterHooks("poststop", this.#bundle.spec.hooks?.poststop, this.#container(), 0, warn);
  }

  [Symbol.dispose](): void {
    this.#gate?.ours.close();
    this.#gate?.shims.close();
  }

  #container() {
    const { path, spec } = this.#bundle;
    return hookedContainer(this.#id, path, spec);
  }
}
