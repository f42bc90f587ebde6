import type { Process, Spec } from "@kata-containers/oci";
import { AgentService, Health, processToGrpc, specToGrpc } from "@kata-containers/protocols";
import { deadline, type Fd, KataError, ops } from "@kata-containers/sys";
import type { FrameTransport } from "@kata-containers/ttrpc";
import type { Agent } from "./agent-client/agent.ts";
import { createAgent } from "./agent-client/ttrpc-agent.ts";
import { Container } from "./container.ts";
import { bootMachine, type Machine, type MachineDeps } from "./machine.ts";
import { GUEST_SHARED_DIR, sandboxHash, volumeName } from "./paths.ts";
import { type SandboxRecord, withContainer, withoutContainer, withResource } from "./persist/record.ts";
import type { Store } from "./persist/store.ts";
import { GuestProcess, type ProcessExit, type ProcessStdio, STATUS_VM_DIED } from "./process.ts";
import { ShareTrees } from "./share/trees.ts";
import { checkSeccomp, guestProcess, guestSpec, sandboxPidns } from "./spec/guest-spec.ts";
import { isReadOnly, mountPlace } from "./spec/shared-mounts.ts";
import { checkAllowed } from "./states.ts";

export type SandboxDeps = Pick<MachineDeps, "config" | "phases" | "log"> & {
  readonly store: Store;
  readonly trees: Trees;
  /** Talks to the agent over a connected channel, which it takes over. */
  readonly talk: (channel: FrameTransport) => Agent;
};

/** What a sandbox does with the share: `ShareTrees`, or a fake. */
export type Trees = Pick<ShareTrees, "attach" | "detach" | "makeReadOnly">;

/** Boots a VM for the sandbox at once; it becomes the sandbox with its first container. */
export function createSandbox(
  id: string,
  root: string,
  deps: MachineDeps & { readonly store: Store },
): Sandbox {
  const { config, confinement } = deps;
  const machine = bootMachine(sandboxHash(root, id), deps);
  const trees = new ShareTrees(confinement.shareDir);
  const talk = (channel: FrameTransport): Agent => createAgent(channel, config.agent.request_timeout * 1000);
  return new Sandbox(id, machine, { ...deps, trees, talk });
}

/** A tree of the host for one mount of the spec; the descriptor stays the caller's. */
export type VolumeTree = { readonly index: number; readonly tree: Fd; readonly directory: boolean };

export type NewContainer = {
  readonly id: string;
  readonly bundle: string;
  readonly spec: Spec;
  /** The root file system's tree; the descriptor stays the caller's. */
  readonly rootfs: Fd;
  readonly volumes: readonly VolumeTree[];
  readonly stdio: ProcessStdio;
  /** Resolves with the pid of the host's process that stands for the container's first one; 0: none does. */
  readonly standIn: (process: GuestProcess) => Promise<number>;
};

/** Bytes of host entropy that the guest's pool starts with. */
const SEED_BYTES = 64;

/** A virtual machine and the containers in it. Made by `createSandbox`. */
export class Sandbox {
  readonly id: string;
  readonly #deps: SandboxDeps;
  readonly #machine: Promise<Machine>;
  readonly #trees: Trees;
  readonly #containers = new Map<string, Container>();
  #agent: Agent | undefined;
  #started: Promise<Agent> | undefined;
  #stopping: Promise<void> | undefined;
  #vmEnded: (why: string) => void = () => {};
  /** Resolves with the reason when the VM is gone, however that came about. */
  readonly vmEnded: Promise<string>;

  constructor(id: string, machine: Promise<Machine>, deps: SandboxDeps) {
    this.id = id;
    this.#deps = deps;
    this.#trees = deps.trees;
    this.vmEnded = new Promise((resolve) => {
      this.#vmEnded = resolve;
    });
    this.#machine = machine.then((running) => this.#watch(running));
    this.#machine.catch((error: unknown) => this.#onVmEnd(KataError.from(error).message));
  }

  container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new KataError("NotFound", `container "${id}" does not exist`);
    return container;
  }

  containers(): readonly Container[] {
    return [...this.#containers.values()];
  }

  /** Makes a container in the guest: its process waits to be started. Undoes everything when it fails. */
  async createContainer(request: NewContainer): Promise<Container> {
    const { id, bundle, spec, stdio } = request;
    if (this.#containers.has(id))
      throw new KataError("AlreadyExists", `container with id "${id}" already exists`);
    const warning = checkSeccomp(spec, this.#deps.config.runtime.disable_guest_seccomp);
    if (warning !== undefined) this.#deps.log.warn(warning, { container: id });
    const container = new Container(id, bundle, spec, ops.realtimeMs());
    this.#containers.set(id, container);
    try {
      this.#save((record) => withContainer(record, container.record(ops.getpid())));
      const sent = this.#share(container, request);
      const agent = await this.#start(spec);
      const create = () =>
        agent.request(AgentService.CreateContainer, {
          containerId: id,
          execId: id,
          OCI: specToGrpc(sent),
          sandboxPidns: sandboxPidns(spec),
        });
      await this.#deps.phases.measure("container", create);
      if (spec.root?.readonly) this.#trees.makeReadOnly(`${id}/rootfs`);
      const process = new GuestProcess({ containerId: id, execId: id }, stdio, agent, this.#deps.log);
      container.processes.set(id, process);
      container.become("created");
      process.attach();
      process.ended.then(() => this.#onContainerEnd(container));
      container.shimPid = await request.standIn(process);
      this.saveContainer(container);
      return container;
    } catch (error) {
      this.#forget(container);
      throw error;
    }
  }

  async startContainer(id: string): Promise<void> {
    const container = this.container(id);
    checkAllowed("start", id, container.status);
    await this.#connectedAgent().request(AgentService.StartContainer, { containerId: id });
    // A process that has ended already has made it stopped.
    if (container.status === "created") container.become("running");
    this.saveContainer(container);
  }

  /** Starts another process in a running container. */
  async exec(id: string, execId: string, process: Process, stdio: ProcessStdio): Promise<GuestProcess> {
    const container = this.container(id);
    checkAllowed("exec", id, container.status);
    if (container.processes.has(execId)) {
      throw new KataError("AlreadyExists", `process "${execId}" of container "${id}" already exists`);
    }
    const agent = this.#connectedAgent();
    const started = new GuestProcess({ containerId: id, execId }, stdio, agent, this.#deps.log);
    container.processes.set(execId, started);
    try {
      const message = processToGrpc(guestProcess(process));
      await agent.request(AgentService.ExecProcess, { containerId: id, execId, process: message });
    } catch (error) {
      container.processes.delete(execId);
      throw error;
    }
    started.attach();
    return started;
  }

  /** @throws KataError NotFound; FailedPrecondition when the container has stopped. */
  async signal(id: string, execId: string, signal: number, all: boolean): Promise<void> {
    const container = this.container(id);
    if (execId === "" || execId === id) checkAllowed("kill", id, container.status);
    const target = all ? "" : execId || id;
    await this.#connectedAgent().request(AgentService.SignalProcess, {
      containerId: id,
      execId: target,
      signal,
    });
  }

  async resize(id: string, execId: string, row: number, column: number): Promise<void> {
    const process = this.process(id, execId);
    await this.#connectedAgent().request(AgentService.TtyWinResize, { ...process.ref, row, column });
  }

  /** The agent's figures and the guest's, in Prometheus's text format. */
  async guestMetrics(): Promise<string> {
    return (await this.#connectedAgent().request(AgentService.GetMetrics, {})).metrics;
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

  /** Removes a container; a running one only with `force`. After the last one the VM is stopped. */
  async removeContainer(id: string, force: boolean): Promise<void> {
    const container = this.container(id);
    if (!force) checkAllowed("delete", id, container.status);
    const last = this.#containers.size === 1;
    if (last) await this.stop();
    else await this.#connectedAgent().request(AgentService.RemoveContainer, { containerId: id, timeout: 0 });
    this.#forget(container);
    this.#save((record) => withoutContainer(record, id));
  }

  /** Stops the VM; resolves when all its processes are gone. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  saveContainer(container: Container): void {
    this.#save((record) => withContainer(record, container.record(ops.getpid())));
  }

  async #stop(): Promise<void> {
    const machine = await this.#machine.catch(() => undefined);
    await machine?.stop();
    this.#onVmEnd("stopped");
  }

  /** Once, for the first container: the generic VM becomes this sandbox. */
  #start(spec: Spec): Promise<Agent> {
    this.#started ??= this.#becomeSandbox(spec);
    return this.#started;
  }

  async #becomeSandbox(spec: Spec): Promise<Agent> {
    const { phases, talk } = this.#deps;
    const machine = await this.#machine;
    const agent = talk(await machine.connected);
    this.#agent = agent;
    await agent.request(Health.Check, {});
    phases.end("agent");
    await phases.measure("sandbox", () =>
      Promise.all([
        agent.request(AgentService.ReseedRandomDev, { data: ops.random(SEED_BYTES) }),
        agent.request(AgentService.CreateSandbox, {
          hostname: (spec.hostname ?? "").slice(0, 64),
          sandboxId: this.id,
          storages: [{ ...machine.guestMount, mountPoint: `${GUEST_SHARED_DIR}/` }],
        }),
      ]),
    );
    return agent;
  }

  #connectedAgent(): Agent {
    if (this.#agent === undefined)
      throw new KataError("Unavailable", `sandbox "${this.id}" has no running VM`);
    return this.#agent;
  }

  /** Attaches the container's trees to the share; returns the spec that the guest gets. */
  #share(container: Container, request: NewContainer): Spec {
    const { id, spec } = container;
    const rootfs = `${id}/rootfs`;
    this.#trees.attach(rootfs, request.rootfs.number, {
      directory: true,
      readOnly: false,
      what: "root file system",
    });
    container.shared.push(rootfs);
    const volumes = new Map<number, string>();
    let shmBytes: number | undefined;
    for (const { index, tree, directory } of request.volumes) {
      const mount = spec.mounts?.[index];
      if (mount === undefined) throw new KataError("InvalidArgument", `mount ${index} is not in config.json`);
      if (mountPlace(mount) === "shm") {
        const { blocks, bsize } = ops.statfs(`/proc/self/fd/${tree.number}`);
        shmBytes = blocks * bsize;
        continue;
      }
      const name = volumeName(id, mount.destination);
      this.#trees.attach(name, tree.number, {
        directory,
        readOnly: isReadOnly(mount),
        what: `mount ${mount.destination}`,
      });
      container.shared.push(name);
      volumes.set(index, `${GUEST_SHARED_DIR}/${name}`);
    }
    return guestSpec(spec, { rootfs: `${GUEST_SHARED_DIR}/${rootfs}`, volumes, shmBytes });
  }

  #forget(container: Container): void {
    for (const process of container.processes.values()) process.end(STATUS_VM_DIED);
    for (const name of container.shared.toReversed()) this.#trees.detach(name);
    this.#containers.delete(container.id);
  }

  async #watch(machine: Machine): Promise<Machine> {
    try {
      this.#save((record) =>
        machine.processes.reduce<SandboxRecord>(
          (all, { name, identity }) => withResource(all, { kind: "process", name, identity }),
          record,
        ),
      );
    } catch (error) {
      await machine.stop();
      throw KataError.from(error, "cannot write state");
    }
    machine.ended.then((why) => {
      this.#onVmEnd(why);
      // Of VMM and share server one may have outlived the other.
      return this.stop();
    });
    return machine;
  }

  #onVmEnd(why: string): void {
    this.#agent?.close();
    this.#agent = undefined;
    for (const container of this.#containers.values()) {
      for (const process of container.processes.values()) process.end(STATUS_VM_DIED);
    }
    this.#vmEnded(why);
  }

  async #onContainerEnd(container: Container): Promise<void> {
    if (container.status !== "stopped") container.become("stopped");
    if (this.#containers.has(container.id)) this.#noteEnd(container);
    const running = this.containers().some((each) => each.status !== "stopped");
    if (running || this.#stopping !== undefined) return;
    // Its other processes die with its pid namespace; their output is on its way.
    const others = Promise.all([...container.processes.values()].map((each) => each.ended));
    await deadline<unknown>(
      others,
      this.#deps.config.runtime.stop_timeout * 1000,
      () => new Error("late"),
    ).catch(() => {});
    await this.stop();
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
