import type { CreateSandboxRequest } from "@kata-containers/protocols";
import { deadline, KataError, Undo } from "@kata-containers/sys";
import type { KernelModules } from "../boot/kernel-modules.ts";
import { OomEvents } from "../cgroup/oom-events.ts";
import { Container } from "../container/container.ts";
import type { ContainerOrder } from "../container/container-order.ts";
import { guestSpec, splitSysctls } from "../container/guest-spec.ts";
import type { Launcher } from "../container/launcher.ts";
import type { ChildWaiter } from "../process/reaper.ts";
import type { Devices } from "../storage/driver.ts";
import { Storages } from "../storage/storage.ts";
import { setGuestSysctls } from "./guest-sysctls.ts";
import { makeSharedNamespaces, releaseSharedNamespaces, type SharedNamespaces } from "./namespaces.ts";
import { PidNamespace } from "./pid-namespace.ts";
import { writeResolvConf } from "./resolv-conf.ts";

/** What the sandbox is made from: the guest's own things. */
export interface SandboxParts {
  readonly modules: KernelModules;
  readonly launcher: Launcher;
  readonly waiter: ChildWaiter;
  readonly devices: Devices;
}

/** What CreateSandbox has made; it ends with DestroySandbox. */
interface Running {
  readonly namespaces: SharedNamespaces;
  readonly pid: PidNamespace;
  readonly undo: Undo;
  /** Being destroyed: nothing more is created in it. */
  ending: boolean;
}

/** A pod's volumes: they outlive the containers that use them, for these are made anew when they fail. */
const SANDBOX_STORAGES: readonly string[] = ["ephemeral", "local"];

/** The guest's one sandbox: absent until CreateSandbox, then the owner of containers and storages. */
export class Sandbox {
  readonly #parts: SandboxParts;
  readonly #containers = new Map<string, Container>();
  /** Containers that are being created, by id; settled, never rejected. */
  readonly #creating = new Map<string, Promise<void>>();
  readonly #storages: Storages;
  /** Containers that ran out of memory. */
  readonly ooms = new OomEvents();
  #running: Running | undefined;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    this.#storages = new Storages(parts.modules, parts.devices);
  }

  /**
   * `sandbox_pidns` asks for nothing here: the first container's pid namespace is the sandbox's, for those that ask to join.
   * @throws KataError AlreadyExists the second time
   */
  async create(request: CreateSandboxRequest): Promise<void> {
    this.#checkNew();
    this.#storages.check(request.storages);
    await using undo = new Undo();
    for (const { name, parameters } of request.kernelModules) this.#parts.modules.require(name, parameters);
    for (const storage of request.storages) {
      const mountPoint = await this.#storages.attachSoon(storage);
      undo.defer(() => this.#storages.release(mountPoint));
    }
    // Another request may have been faster, while a device was waited for.
    this.#checkNew();
    // Also what its containers attach for all of them.
    undo.defer(() => this.#storages.releaseAll());
    const namespaces = makeSharedNamespaces(request.hostname, request.domainname);
    undo.defer(() => releaseSharedNamespaces(namespaces));
    const pid = undo.use(new PidNamespace());
    writeResolvConf(request.dns);
    this.#running = { namespaces, pid, undo: undo.move(), ending: false };
  }

  #checkNew(): void {
    if (this.#running !== undefined)
      throw new KataError("AlreadyExists", "the sandbox has been created already");
  }

  /** Ends every container and gives everything back. Nothing when there is no sandbox. */
  async destroy(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.ending = true;
    await Promise.all(this.#creating.values());
    for (const id of [...this.#containers.keys()]) if (this.#containers.has(id)) await this.remove(id, 0);
    // Another request may have destroyed it meanwhile.
    if (this.#running !== running) return;
    this.#running = undefined;
    await running.undo.run();
  }

  /**
   * Creates a container, its init process waiting.
   * @throws KataError FailedPrecondition without a sandbox, AlreadyExists for an id in use
   */
  async createContainer(order: ContainerOrder): Promise<void> {
    const { id } = order;
    const running = this.#running;
    if (running === undefined)
      throw new KataError("FailedPrecondition", "there is no sandbox: call CreateSandbox first");
    if (running.ending) throw new KataError("FailedPrecondition", "the sandbox is being destroyed");
    if (this.#containers.has(id) || this.#creating.has(id))
      throw new KataError("AlreadyExists", `container ${id}`);
    const making = this.#makeContainer(order, running);
    const settled = making.then(
      () => {},
      () => {},
    );
    this.#creating.set(id, settled);
    try {
      await making;
    } finally {
      this.#creating.delete(id);
    }
  }

  async #makeContainer(order: ContainerOrder, running: Running): Promise<void> {
    const { id, spec, storages } = order;
    const pidNamespace = order.sharePid ? running.pid.path : undefined;
    const guest = guestSpec(spec, running.namespaces, pidNamespace);
    setGuestSysctls(splitSysctls(spec.linux?.sysctl ?? {}).guest);
    await using undo = new Undo();
    const used: string[] = [];
    for (const storage of storages) {
      const mountPoint = this.#storages.attach(storage);
      if (SANDBOX_STORAGES.includes(storage.driver)) continue;
      used.push(mountPoint);
      undo.defer(() => this.#storages.release(mountPoint));
    }
    const { launcher, waiter } = this.#parts;
    const container = await Container.create({ ...order, spec: guest }, used, launcher, waiter);
    this.#containers.set(id, container);
    running.pid.hold(container.init.pid);
    container.watchOom(() => this.ooms.push(id));
    undo.commit();
  }

  /** @throws KataError NotFound */
  container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new KataError("NotFound", `container ${id}`);
    return container;
  }

  /** One that has not stopped. @throws KataError NotFound, FailedPrecondition */
  liveContainer(id: string): Container {
    const container = this.container(id);
    if (container.state !== "stopped") return container;
    throw new KataError("FailedPrecondition", `container ${id} has stopped`);
  }

  /**
   * Kills a container, waits for its end, and gives back what it held.
   * @param seconds 0: as long as it takes
   * @throws KataError NotFound, DeadlineExceeded
   */
  async remove(id: string, seconds: number): Promise<void> {
    const container = this.container(id);
    const late = () => new KataError("DeadlineExceeded", `container ${id} did not end within ${seconds} s`);
    const ended = container.kill();
    await (seconds === 0 ? ended : deadline(ended, seconds * 1000, late));
    // Another request may have removed it meanwhile: what it held is given back once.
    if (this.#containers.get(id) !== container) return;
    container.destroy();
    this.#containers.delete(id);
    for (const mountPoint of [...container.storages].reverse()) this.#storages.release(mountPoint);
    await container.unmounted();
  }
}
