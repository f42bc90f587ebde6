import { laterHooks, type Spec } from "@kata-containers/oci";
import { joinPath, KataError } from "@kata-containers/sys";
import type { ContainerRecord, ContainerStatus } from "./persist/record.ts";
import type { GuestProcess } from "./process.ts";
import { nextStatus } from "./states.ts";

/** A container of the sandbox: its state, its processes, and what of it is attached to the share. */
export class Container {
  readonly id: string;
  readonly bundle: string;
  readonly spec: Spec;
  /** Names below the share, in the order they were attached. */
  readonly shared: string[] = [];
  readonly processes = new Map<string, GuestProcess>();
  /** Pid of the kata-shim that stands for its first process; 0 before one has attached. */
  shimPid = 0;
  /** Settles when it has been made, or could not be. */
  made: Promise<void> | undefined;
  /** Rejects when it is removed before it has been made. */
  readonly abandoned: Promise<never>;
  #abandon: () => void = () => {};
  readonly #createdMs: number;
  #status: ContainerStatus = "creating";
  /** What a pause began in. */
  #beforePause: ContainerStatus = "running";

  constructor(id: string, bundle: string, spec: Spec, createdMs: number) {
    this.id = id;
    this.bundle = bundle;
    this.spec = spec;
    this.#createdMs = createdMs;
    this.abandoned = new Promise((_, reject) => {
      this.#abandon = () =>
        reject(new KataError("Canceled", `container "${id}" was removed while it was made`));
    });
    this.abandoned.catch(() => {});
  }

  /** Nobody wants it any more: whoever makes it stops waiting. Without effect on one that has been made. */
  abandon(): void {
    this.#abandon();
  }

  get status(): ContainerStatus {
    return this.#status;
  }

  become(status: ContainerStatus): void {
    this.#status = nextStatus(this.#status, status);
  }

  /** It may have ended meanwhile: then it stays stopped. */
  pause(): void {
    if (this.#status === "stopped") return;
    this.#beforePause = this.#status;
    this.become("paused");
  }

  /** Back to what it was before the pause. */
  resume(): void {
    if (this.#status !== "stopped") this.become(this.#beforePause);
  }

  /** Its first process. */
  get init(): GuestProcess | undefined {
    return this.processes.get(this.id);
  }

  /** @param fallbackPid a host pid to show while no kata-shim has attached: the daemon's */
  record(fallbackPid: number): ContainerRecord {
    const exit = this.init?.exit;
    const hooks = laterHooks(this.spec.hooks);
    return {
      id: this.id,
      bundle: this.bundle,
      rootfs: joinPath(this.bundle, this.spec.root?.path ?? ""),
      status: this.#status,
      pid: this.#status === "stopped" ? 0 : this.shimPid || fallbackPid,
      createdMs: this.#createdMs,
      exitStatus: exit?.status ?? 0,
      exitedAtMs: exit?.atMs ?? 0,
      annotations: this.spec.annotations ?? {},
      ociVersion: this.spec.ociVersion,
      ...(hooks === undefined ? {} : { hooks }),
    };
  }
}
