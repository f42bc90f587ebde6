import { type Process, podRole, type Resources, type Spec } from "@kata-containers/oci";
import { AgentService, processToGrpc, restOf } from "@kata-containers/protocols";
import { deadline, KataError, ops, type RpcDurations, SIG } from "@kata-containers/sys";
import type { FrameTransport } from "@kata-containers/ttrpc";
import type { Agent } from "./agent-client/agent.ts";
import { createAgent } from "./agent-client/ttrpc-agent.ts";
import type { MachineDeps } from "./assemble-machine.ts";
import { Container } from "./container.ts";
import type { IdleMachine } from "./idle-machine.ts";
import type { Machine } from "./machine.ts";
import { PortForward } from "./network/port-forward.ts";
import { openSandboxNetwork } from "./network/sandbox-network.ts";
import { OomEvents } from "./oom-events.ts";
import {
  type ContainerStatus,
  checkDeletedLast,
  type SandboxRecord,
  withContainer,
  withoutContainer,
  withoutContainers,
} from "./persist/record.ts";
import type { Store } from "./persist/store.ts";
import { GuestProcess, type ProcessExit, type ProcessStdio, STATUS_VM_DIED } from "./process.ts";
import { HostCpuset } from "./resource/host-cpuset.ts";
import { SandboxSize } from "./resource/sandbox-size.ts";
import type { VmSize } from "./resource/vm-size.ts";
import { SandboxVm, type SandboxVmDeps } from "./sandbox-vm.ts";
import { type ContainerTrees, rootfsName, shareContainer, type Trees } from "./share/share-container.ts";
import { ShareTrees } from "./share/trees.ts";
import { checkGuestProcess, checkGuestSpec } from "./spec/check-guest-spec.ts";
import { checkNamespaces } from "./spec/check-namespaces.ts";
import { dropSeccomp, filterOf, guestProcess, sandboxPidns, specFields } from "./spec/guest-spec.ts";
import { startMachine } from "./start-machine.ts";
import { checkAllowed, checkExec } from "./states.ts";

export type SandboxDeps = SandboxVmDeps &
  Pick<MachineDeps, "config" | "log"> & {
    readonly trees: Trees;
    readonly cpuset: Pick<HostCpuset, "fit" | "forget">;
  };

export type NewSandboxDeps = Omit<MachineDeps, "openNetwork"> & {
  readonly store: Store;
  /** Counts the requests to the agent. */
  readonly agentRpcs: RpcDurations;
  /** The sandbox's name among those of the host's things that have no place for its id. */
  readonly hash: string;
  /** The VM that it gets, made before it was known for whom; undefined: one is started for it. */
  readonly idle?: IdleMachine | undefined;
};

/** Starts a VM for the sandbox at once; it becomes the sandbox with its first container. */
export function createSandbox(id: string, deps: NewSandboxDeps): Sandbox {
  const { config, confinement, agentRpcs, log, hash, idle } = deps;
  const openNetwork = (kvm: boolean) => openSandboxNetwork(config, kvm, { mark: hash, log });
  const machine = idle === undefined ? startMachine({ ...deps, openNetwork }) : idle.become(openNetwork, log);
  const trees = new ShareTrees(confinement.shareDir, confinement.sharePlaces);
  const timeoutMs = config.agent.request_timeout * 1000;
  const talk = (channel: FrameTransport): Agent =>
    idle === undefined ? createAgent(channel, timeoutMs, agentRpcs) : idle.agent;
  const cpuset = new HostCpuset(confinement.cgroupProcs);
  return new Sandbox(id, machine, { ...deps, trees, cpuset, talk });
}

export type NewContainer = ContainerTrees & {
  readonly id: string;
  readonly bundle: string;
  readonly spec: Spec;
  readonly stdio: ProcessStdio;
  /** Resolves with the pid of the host's process that stands for the container's first one; 0: none does. */
  readonly standIn: (process: GuestProcess) => Promise<number>;
};

/** States of the sandbox's own container in which others may join. */
const JOINABLE: readonly ContainerStatus[] = ["created", "running", "paused"];

/** How another process is started in a container. */
export type ExecOptions = {
  /** Also in a paused container, and then when it is resumed. */
  readonly ignorePaused?: boolean;
  /** The control groups below the container's own that it is in, see `subCgroups` of the launch package. */
  readonly cgroups?: readonly string[];
};

/**
 * A virtual machine and the containers in it. Made by `createSandbox`. The container that has the sandbox's own id is
 * its first: the others join while it lives, and the VM ends with it.
 */
export class Sandbox {
  readonly id: string;
  readonly #deps: SandboxDeps;
  readonly #vm: SandboxVm;
  readonly #trees: Trees;
  /** How often containers ran out of memory. */
  readonly ooms = new OomEvents();
  readonly #containers = new Map<string, Container>();
  readonly #size: SandboxSize;
  #portForward: PortForward | undefined;

  constructor(id: string, machine: Promise<Machine>, deps: SandboxDeps) {
    this.id = id;
    this.#deps = deps;
    this.#trees = deps.trees;
    this.#vm = new SandboxVm(id, machine, deps, () => this.#onVmEnd());
    const save = (size: VmSize) => this.#save((record) => ({ ...record, size }));
    this.#size = new SandboxSize({ config: deps.config, log: deps.log, save });
  }

  /** Resolves with the reason when the VM is gone, however that came about. */
  get vmEnded(): Promise<string> {
    return this.#vm.ended;
  }

  /** Whether its VM was told to stop. */
  get stopping(): boolean {
    return this.#vm.stopping;
  }

  /** Its VM, while it runs. */
  get machine(): Machine | undefined {
    return this.#vm.machine;
  }

  /** @throws KataError Unavailable without a running VM */
  agent(): Agent {
    return this.#vm.connectedAgent();
  }

  container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new KataError("NotFound", `container "${id}" does not exist`);
    return container;
  }

  containers(): readonly Container[] {
    return [...this.#containers.values()];
  }

  /**
   * Makes a container in the guest: its process waits to be started. Undoes everything when it fails.
   * @throws KataError AlreadyExists; FailedPrecondition when it would join a sandbox that has stopped
   */
  async createContainer(request: NewContainer): Promise<Container> {
    const { id, bundle } = request;
    const { disable_guest_seccomp: unfiltered } = this.#deps.config.runtime;
    const spec = unfiltered ? dropSeccomp(request.spec, this.#warn(id)) : request.spec;
    if (this.#containers.has(id))
      throw new KataError("AlreadyExists", `container with given ID already exists: ${id}`);
    this.#checkJoins(id, spec);
    const container = new Container(id, bundle, spec, ops.realtimeMs());
    this.#containers.set(id, container);
    try {
      container.made = this.#make(container, request);
      await container.made;
      return container;
    } catch (error) {
      await this.#unmake(container);
      throw error;
    }
  }

  /** What is asked of a container that joins, and of the sandbox it joins. */
  #checkJoins(id: string, spec: Spec): void {
    checkNamespaces(spec);
    if (id === this.id) {
      if (!sandboxPidns(spec)) return;
      const where = "linux.namespaces: pid";
      throw new KataError(
        "InvalidArgument",
        `${where}: a sandbox has one of its own, which its containers can join`,
      );
    }
    const first = this.#containers.get(this.id)?.status;
    if (!this.#vm.stopping && first !== undefined && JOINABLE.includes(first)) return;
    throw new KataError(
      "FailedPrecondition",
      `container "${id}" cannot join sandbox "${this.id}", which is ${first ?? "stopped"}`,
    );
  }

  async #make(container: Container, request: NewContainer): Promise<void> {
    const { id, spec } = container;
    checkGuestSpec(spec).forEach(this.#warn(id));
    this.saveContainer(container);
    const memoryMiB = this.#deps.config.hypervisor.default_memory;
    const shared = shareContainer(this.#trees, container, request, memoryMiB);
    // Here, while the guest boots: it has one CPU, and under emulation a slow one.
    const seccomp = filterOf(spec, this.#warn(id));
    const agent = await this.#vm.start(spec, shared.shmBytes);
    await this.fit(id, spec.linux?.resources);
    if (podRole(spec.annotations).kind === "sandbox") this.#forwardPorts(agent);
    this.ooms.follow(agent, (name) => this.#containers.has(name), this.#deps.log);
    const create = () =>
      agent.request(AgentService.CreateContainer, {
        containerId: id,
        execId: id,
        ...specFields(shared.spec, seccomp),
        storages: shared.storages,
        sandboxPidns: sandboxPidns(spec),
      });
    await this.#deps.phases.measure("container", create);
    const process = new GuestProcess({ containerId: id, execId: id }, request.stdio, agent, this.#deps.log);
    container.processes.set(id, process);
    if (spec.root?.readonly) this.#trees.makeReadOnly(rootfsName(id), await this.#vm.shareServerPid());
    container.become("created");
    process.attach();
    process.ended.then(() => this.#onContainerEnd(container));
    container.shimPid = await Promise.race([request.standIn(process), container.abandoned]);
    process.hostPid = container.shimPid;
    this.saveContainer(container);
  }

  /** Of a pod, for whose ports container managers ask at the loopback interface of its network namespace. */
  #forwardPorts(agent: Agent): void {
    if (this.#deps.config.runtime.internetworking_model === "none") return;
    this.#portForward ??= PortForward.begin(agent, this.#deps.log);
  }

  /** A sandbox that has just this one is stopped by its owner; of one with others nothing of it may stay. */
  async #unmake(container: Container): Promise<void> {
    const { id } = container;
    const inGuest = container.init !== undefined && id !== this.id;
    if (inGuest) {
      await this.#vm.agent
        ?.request(AgentService.RemoveContainer, { containerId: id, timeout: 0 })
        .catch(() => {});
    }
    this.#forget(container);
    // The id is given up by whoever took it.
    if (id !== this.id) this.#save((record) => withoutContainer(record, id));
  }

  /**
   * Gives the sandbox what a container's limits ask of the host, those of a new one or a change of them: a VM that is large enough, and
   * CPUs to run on.
   * @throws KataError see HostCpuset, SandboxSize
   */
  async fit(id: string, resources: Resources | undefined): Promise<void> {
    await this.#size.fit(id, resources, () => this.#vm.growing());
    // The last: a machine that has grown for nothing does no harm.
    this.#deps.cpuset.fit(id, resources?.cpu);
  }

  async startContainer(id: string): Promise<void> {
    const container = this.container(id);
    checkAllowed("start", id, container.status);
    await this.#vm.connectedAgent().request(AgentService.StartContainer, { containerId: id });
    // A process that has ended already has made it stopped.
    if (container.status === "created") container.become("running");
    this.saveContainer(container);
  }

  /** Starts another process in a container; in a paused one only with `ignorePaused`. */
  async exec(
    id: string,
    execId: string,
    process: Process,
    stdio: ProcessStdio,
    { ignorePaused = false, cgroups = [] }: ExecOptions = {},
  ): Promise<GuestProcess> {
    const container = this.container(id);
    checkExec(id, container.status, ignorePaused);
    if (container.processes.has(execId)) {
      throw new KataError("AlreadyExists", `process "${execId}" of container "${id}" already exists`);
    }
    checkGuestProcess(process).forEach(this.#warn(id));
    const agent = this.#vm.connectedAgent();
    const started = new GuestProcess({ containerId: id, execId }, stdio, agent, this.#deps.log);
    container.processes.set(execId, started);
    try {
      const inGuest = guestProcess(process);
      const message = {
        process: processToGrpc(inGuest),
        processRestJson: restOf({ process: inGuest }),
        cgroups,
      };
      const limit = container.status === "paused" ? Infinity : undefined;
      await agent.request(AgentService.ExecProcess, { containerId: id, execId, ...message }, limit);
    } catch (error) {
      container.processes.delete(execId);
      throw error;
    }
    started.attach();
    return started;
  }

  /**
   * Signals one process, or all of a container: of one that has stopped these are none, which is no error, as with runc.
   * @throws KataError NotFound; FailedPrecondition when the container has stopped and one process is meant
   */
  async signal(id: string, execId: string, signal: number, all: boolean): Promise<void> {
    const container = this.container(id);
    if (all && container.status === "stopped") return;
    if (execId === "" || execId === id) checkAllowed("kill", id, container.status);
    const target = all ? "" : execId || id;
    await this.#vm.connectedAgent().request(AgentService.SignalProcess, {
      containerId: id,
      execId: target,
      signal,
    });
  }

  async resize(id: string, execId: string, row: number, column: number): Promise<void> {
    const process = this.process(id, execId);
    await this.#vm.connectedAgent().request(AgentService.TtyWinResize, { ...process.ref, row, column });
  }

  process(id: string, execId: string): GuestProcess {
    const process = this.container(id).processes.get(execId || id);
    if (process === undefined) {
      throw new KataError("NotFound", `process "${execId}" of container "${id}" does not exist`);
    }
    return process;
  }

  wait(id: string, execId: string): Promise<ProcessExit> {
    return this.process(id, execId).ended;
  }

  /** A process that nobody will ask about any more. */
  forgetProcess(id: string, execId: string): void {
    if (execId !== "" && execId !== id) this.#containers.get(id)?.processes.delete(execId);
  }

  /**
   * Removes a container; one that has not stopped only with `force`. With the sandbox's own container the VM goes, and
   * with `force` every other container as well.
   * @throws KataError FailedPrecondition while it has not stopped, or while a sandbox has others
   */
  async removeContainer(id: string, force: boolean): Promise<void> {
    const container = this.container(id);
    if (id === this.id) await this.#removeSandbox(container, force);
    else await this.#removeJoined(container, force);
  }

  async #removeSandbox(container: Container, force: boolean): Promise<void> {
    const { id } = container;
    if (!force) checkAllowed("delete", id, container.status);
    if (!force) checkDeletedLast(this.#deps.store.load(id));
    await this.stop();
    // Of several calls at once, one has removed it.
    this.container(id);
    for (const each of this.containers().toReversed()) this.#forget(each);
    this.#save(withoutContainers);
  }

  async #removeJoined(container: Container, force: boolean): Promise<void> {
    const { id } = container;
    if (!force) checkAllowed("delete", id, container.status);
    container.abandon();
    await container.made?.catch(() => {});
    if (!this.#containers.has(id)) return this.giveUpId(id);
    await this.#removeInGuest(id);
    this.#forget(container);
    this.giveUpId(id);
  }

  /** With the VM it is gone as well, also when that ends meanwhile. */
  async #removeInGuest(id: string): Promise<void> {
    try {
      await this.#vm.agent?.request(AgentService.RemoveContainer, { containerId: id, timeout: 0 });
    } catch (error) {
      if (this.#vm.agent !== undefined && !this.#vm.stopping) throw error;
    }
  }

  /** Nobody wants the container any more while it is being made: the making fails. */
  abandonContainer(id: string): void {
    this.#containers.get(id)?.abandon();
  }

  /** The id of a container that had joined, or was about to, is free again. */
  giveUpId(id: string): void {
    this.#save((record) => withoutContainer(record, id));
    this.#deps.store.remove(id);
  }

  /** Stops the VM; resolves when all its processes are gone. */
  stop(): Promise<void> {
    return this.#vm.stop();
  }

  saveContainer(container: Container): void {
    this.#save((record) => withContainer(record, container.record(ops.getpid())));
  }

  #warn(id: string): (warning: string) => void {
    return (warning) => this.#deps.log.warn(warning, { container: id });
  }

  #forget(container: Container): void {
    for (const process of [...container.processes.values()].toReversed()) process.end(STATUS_VM_DIED);
    for (const name of container.shared.toReversed()) this.#trees.detach(name);
    this.#containers.delete(container.id);
    this.#giveBack(container.id);
    this.ooms.forget(container.id);
  }

  /** What the container had asked of the host. */
  #giveBack(id: string): void {
    this.#size.forget(id);
    this.#deps.cpuset.forget(id);
  }

  /** Those that came last end first: a container's own process after those that were executed in it, the sandbox's after all. */
  #onVmEnd(): void {
    this.#portForward?.[Symbol.dispose]();
    for (const container of this.containers().toReversed()) {
      for (const process of [...container.processes.values()].toReversed()) process.end(STATUS_VM_DIED);
    }
  }

  async #onContainerEnd(container: Container): Promise<void> {
    this.ooms.wake();
    this.#giveBack(container.id);
    if (container.status !== "stopped") container.become("stopped");
    if (this.#containers.has(container.id)) this.#noteEnd(container);
    if (container.id !== this.id || this.#vm.stopping) return;
    await this.#endOthers(container);
    await this.stop();
  }

  /** The sandbox ends: its other containers are killed and what they have written arrives, within `stop_timeout`. */
  async #endOthers(first: Container): Promise<void> {
    const others = this.containers().filter((each) => each !== first && each.status !== "stopped");
    for (const { id } of others) this.signal(id, id, SIG.SIGKILL, false).catch(() => {});
    // The other processes of a container die with its pid namespace.
    const processes = [first, ...others].flatMap((each) => [...each.processes.values()]);
    await deadline<unknown>(
      Promise.all(processes.map((each) => each.ended)),
      this.#deps.config.runtime.stop_timeout * 1000,
      () => new Error("late"),
    ).catch(() => {});
  }

  /** A record that cannot be written must not keep the VM: whoever reads it finds the daemon gone, and that says "stopped". */
  #noteEnd(container: Container): void {
    try {
      this.saveContainer(container);
    } catch (error) {
      this.#deps.log.error("cannot write state", {
        container: container.id,
        reason: KataError.from(error).message,
      });
    }
  }

  #save(change: (record: SandboxRecord) => SandboxRecord): void {
    this.#deps.store.update(this.id, change);
  }
}
