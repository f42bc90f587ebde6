import { type CgroupPlace, freeze, signalAll, thaw, watchOom } from "@kata-containers/launch";
import type { Spec } from "@kata-containers/oci";
import { deadline, Fd, isSysError, KataError, ops, SIG } from "@kata-containers/sys";
import { GuestProcess } from "../process/guest-process.ts";
import type { ChildWaiter } from "../process/reaper.ts";
import type { ContainerOrder } from "./container-order.ts";
import type { CreatedContainer, ExecOrder, Launcher } from "./launcher.ts";
import { type ContainerState, next } from "./state.ts";

/** How long a removal waits for the mounts. */
const UNMOUNT_MS = 2_000;

/** A container of the sandbox: its init process, the others that were started in it, its state. */
export class Container {
  readonly id: string;
  /** Mount points of the sandbox's storages that it uses. */
  readonly storages: readonly string[];
  readonly init: GuestProcess;
  readonly #spec: Spec;
  readonly #created: CreatedContainer;
  readonly #launcher: Launcher;
  readonly #waiter: ChildWaiter;
  readonly #processes = new Map<string, GuestProcess>();
  /** Processes that are being started, by exec id; settled, never rejected. */
  readonly #starting = new Map<string, Promise<void>>();
  /** Being killed: nothing more is started. */
  #killed = false;
  #state: ContainerState = "created";
  /** The state that resume leads back to. */
  #beforePause: ContainerState = "running";
  /** What freezes the control groups, one thing after the other: what one lets run again must not be another's pause. */
  #freezing: Promise<unknown> = Promise.resolve();
  #oomWatch: Disposable | undefined;
  /** Resolves when it has ended and its mounts are given back. */
  readonly #unmounted: Promise<void>;

  private constructor(
    id: string,
    init: GuestProcess,
    spec: Spec,
    storages: readonly string[],
    created: CreatedContainer,
    launcher: Launcher,
    waiter: ChildWaiter,
  ) {
    this.id = id;
    this.init = init;
    this.storages = storages;
    this.#spec = spec;
    this.#created = created;
    this.#launcher = launcher;
    this.#waiter = waiter;
    this.#processes.set(init.execId, init);
    this.#unmounted = init.exited.then(async () => {
      this.#state = next(id, this.#state, "exit");
      // Its end ends a pid namespace of its own, and with it everything in there; in a shared one that is left to us.
      await this.#killRest();
      await created.unmount();
    });
  }

  /**
   * Starts the init process up to the point where it waits for {@link start}.
   * @param storages mount points that it uses
   */
  static async create(
    { id, execId, spec, seccomp, timeoutMs }: Omit<ContainerOrder, "storages" | "sharePid">,
    storages: readonly string[],
    launcher: Launcher,
    waiter: ChildWaiter,
  ): Promise<Container> {
    using _expected = waiter.expect();
    const created = await launcher.create(id, spec, seccomp, timeoutMs);
    const init = new GuestProcess(execId, created, waiter);
    return new Container(id, init, spec, storages, created, launcher, waiter);
  }

  get state(): ContainerState {
    return this.#state;
  }

  get cgroups(): readonly CgroupPlace[] {
    return this.#created.cgroups;
  }

  /** The guest's pids of all its processes. */
  pids(): number[] {
    return this.#created.pids();
  }

  /** Calls `onOom` when the kernel kills one of its processes for want of memory. */
  watchOom(onOom: () => void): void {
    this.#oomWatch = watchOom(this.cgroups, onOom);
  }

  start(): void {
    this.#state = next(this.id, this.#state, "start");
    this.#created.start();
  }

  /** Stops every process of it. @throws KataError FailedPrecondition, DeadlineExceeded */
  pause(): Promise<void> {
    return this.#inTurn(async () => {
      next(this.id, this.#state, "pause");
      await freeze(this.id, this.cgroups);
      // It may have ended meanwhile.
      const before = this.#state;
      this.#state = next(this.id, before, "pause");
      this.#beforePause = before;
    });
  }

  #inTurn(freezes: () => Promise<void>): Promise<void> {
    const mine = this.#freezing.then(freezes);
    this.#freezing = mine.catch(() => {});
    return mine;
  }

  resume(): void {
    next(this.id, this.#state, "resume");
    thaw(this.cgroups);
    this.#state = this.#beforePause;
  }

  async exec(execId: string, order: ExecOrder): Promise<void> {
    next(this.id, this.#state, "exec");
    if (this.#processes.has(execId) || this.#starting.has(execId)) {
      throw new KataError("AlreadyExists", `process ${execId} of container ${this.id}`);
    }
    if (this.#killed) throw new KataError("FailedPrecondition", `container ${this.id} is being killed`);
    const starting = this.#startProcess(execId, order);
    const settled = starting.then(
      () => {},
      () => {},
    );
    this.#starting.set(execId, settled);
    try {
      await starting;
    } finally {
      this.#starting.delete(execId);
    }
  }

  async #startProcess(execId: string, order: ExecOrder): Promise<void> {
    using _expected = this.#waiter.expect();
    const { pidfd } = this.init;
    const launched = await this.#launcher.exec(this.id, this.#spec, pidfd, order);
    this.#processes.set(execId, new GuestProcess(execId, launched, this.#waiter));
  }

  /**
   * The process called `execId`; "" is the init process.
   * @throws KataError NotFound
   */
  process(execId: string): GuestProcess {
    const process = execId === "" ? this.init : this.#processes.get(execId);
    if (process === undefined) throw new KataError("NotFound", `process ${execId} of container ${this.id}`);
    return process;
  }

  /**
   * Signals one process; with `execId` "" every process of the container, held still meanwhile so that none escapes by
   * forking. Upstream's agent makes SIGKILL of a SIGTERM that an init process does not catch: here, as with runc, it is
   * delivered, and dropped by the kernel (pid_namespaces(7)). A container that has stopped: nothing to do.
   */
  async signal(execId: string, signal: number): Promise<void> {
    if (this.#state === "stopped") return;
    if (execId === "") return await this.#inTurn(() => this.#signalAll(signal));
    this.process(execId).signal(signal);
    this.#letDie(signal);
  }

  async #signalAll(signal: number): Promise<void> {
    // Its turn may come late, when its control groups are those of the next container of this name.
    if (this.#state === "stopped") return;
    // A privileged container's may have left its control groups.
    const isInside = this.pids().includes(this.init.pid);
    await signalAll(this.id, this.cgroups, signal);
    if (!isInside) this.init.signal(signal);
  }

  /** A process of v1's freezer is dead only when it runs again: SIGKILL ends a pause (as runc). */
  #letDie(signal: number): void {
    if (this.#state === "paused" && signal === SIG.SIGKILL) thaw(this.cgroups);
  }

  /** Waits for a process's end. */
  async wait(execId: string): Promise<number> {
    const process = this.process(execId);
    const status = await process.exited;
    process.waitedFor = true;
    this.forgetSpent(execId);
    return status;
  }

  /** A process other than init is forgotten when it has been waited for and nothing of it is left to read. */
  forgetSpent(execId: string): void {
    const process = this.#processes.get(execId);
    if (process !== undefined && process !== this.init && process.spent) this.#processes.delete(execId);
  }

  /** Kills everything in it, also what is being started, and resolves when its processes have ended. */
  async kill(): Promise<void> {
    this.#killed = true;
    await this.#killKnown();
    // What starts a process is in the container's control groups, and may yet bring one to life.
    await Promise.all(this.#starting.values());
    await this.#killKnown();
    await this.#killRest();
  }

  async #killKnown(): Promise<void> {
    this.init.signal(SIG.SIGKILL);
    for (const process of this.#processes.values()) process.signal(SIG.SIGKILL);
    this.#letDie(SIG.SIGKILL);
    await Promise.all([...this.#processes.values()].map((process) => process.exited));
  }

  /** Kills what is left in its control groups, until nothing is. */
  async #killRest(): Promise<void> {
    if (!joinsPid(this.#spec)) return;
    for (let pids = this.#created.pids(); pids.length > 0; pids = this.#created.pids()) {
      await Promise.all(pids.map((pid) => killAndWait(pid, () => this.#created.pids().includes(pid))));
    }
  }

  /** Gives back what it held, but for its mounts. Only after {@link kill}. */
  destroy(): void {
    this.#oomWatch?.[Symbol.dispose]();
    this.#created.destroy();
  }

  /** Waits until its mounts are given back; not for long: where the share is slow, they follow. Only after {@link kill}. */
  async unmounted(): Promise<void> {
    const late = () => new KataError("DeadlineExceeded", "the share is slow");
    // What fails is in the log: nobody handles it when it does.
    await deadline(this.#unmounted, UNMOUNT_MS, late).catch(() => {});
  }
}

function joinsPid(spec: Spec): boolean {
  return (spec.linux?.namespaces ?? []).some(({ type, path }) => type === "pid" && path !== undefined);
}

/** @param isStill whether the pid is still that of the process that was meant, asked once nobody else can get it */
async function killAndWait(pid: number, isStill: () => boolean): Promise<void> {
  try {
    using pidfd = new Fd(ops.pidfdOpen(pid));
    if (!isStill()) return;
    ops.pidfdSendSignal(pidfd.number, SIG.SIGKILL);
    await ops.pidfdEnded(pidfd.number);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}
