import { loadSandboxConfig, refuseContainerAnnotations } from "@kata-containers/config";
import {
  type HookedContainer,
  hookedContainer,
  runCreateHooks,
  runLaterHooks,
} from "@kata-containers/launch";
import { podRole, type Spec } from "@kata-containers/oci";
import type { ContainerdMount } from "@kata-containers/protocols";
import {
  type AbortSignalLike,
  KataError,
  type Logger,
  ops,
  type RpcDurations,
  Undo,
  writeText,
} from "@kata-containers/sys";
import { isScopeName } from "@kata-containers/systemd";
import {
  type Container,
  createFileStore,
  leaveCgroup,
  managementSocketPath,
  Phases,
  type ProcessStdio,
  type Sandbox,
  type Store,
  withContainer,
  withoutContainer,
  withResource,
} from "@kata-containers/virtcontainers";
import { type Bundle, readBundle } from "../client/bundle.ts";
import { claimRecord, containerBeingMade } from "../client/claim-record.ts";
import { checkJoinedNamespaces, isSameNamespace } from "../client/joined-namespaces.ts";
import { checkNamespacesOf } from "../client/namespace-paths.ts";
import { openNetworkNamespace } from "../client/network-namespace.ts";
import { makeScope, wantedScope } from "../client/sandbox-scope.ts";
import { openTrees, type Trees } from "../client/trees.ts";
import { leaveHostView } from "../daemon/host-view.ts";
import type { Lifetime } from "../daemon/lifetime.ts";
import {
  type HostedSandbox,
  hostSandbox,
  nameOwnResources,
  undoSandbox,
  wantsDebug,
} from "../daemon/sandbox-host.ts";
import { openSandboxLog } from "../daemon/sandbox-log.ts";
import { serveDaemon } from "../daemon/serve.ts";
import { Warnings } from "../daemon/warnings.ts";
import { serveManagement } from "../management/management.ts";
import type { HostNamespaces } from "./host-namespaces.ts";
import { mountRootfs } from "./mount-rootfs.ts";
import { taskRoot } from "./places.ts";
import type { Size } from "./task-process.ts";

export interface TaskSandboxOrder {
  readonly namespace: string;
  /** Of the sandbox that this shim is for. */
  readonly id: string;
  /** Path of the socket that containerd calls at. */
  readonly socket: string;
  readonly debug: boolean;
  readonly host: HostNamespaces;
  readonly lifetime: Lifetime;
  /** Counts the calls that this process answers. */
  readonly shimRpcs: RpcDurations;
  /** containerd's. */
  readonly log: Logger;
}

export interface ContainerOrder {
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  readonly rootfs: readonly ContainerdMount[];
  /** The configuration that the runtime's options name; "": none. */
  readonly configPath: string;
  readonly terminal: boolean;
  /** Aborted when nobody wants it any more: hooks are killed, and nothing more is made. */
  readonly abandoned: AbortSignalLike;
  /** Opens the streams, once everything else has been found good. */
  readonly openStdio: () => Promise<ProcessStdio>;
}

/** The sandbox of a shim: it begins with its first container, and this process becomes its daemon then. */
export class TaskSandbox {
  readonly #order: TaskSandboxOrder;
  readonly #store: Store;
  #hosted: HostedSandbox | undefined;
  /** It was begun, and cannot be a second time: this process has left the host's view. */
  #begun = false;
  readonly #hooked = new Map<string, { readonly container: HookedContainer; readonly spec: Spec }>();

  constructor(order: TaskSandboxOrder) {
    this.#order = order;
    this.#store = createFileStore(taskRoot(order.namespace));
  }

  /** @throws KataError NotFound before the first container, and after the last */
  get sandbox(): Sandbox {
    if (this.#hosted === undefined)
      throw new KataError("NotFound", `sandbox "${this.#order.id}" does not exist`);
    return this.#hosted.sandbox;
  }

  /** The sandbox's containers end with it, and when this does: undefined while it has none. */
  get running(): Sandbox | undefined {
    return this.#hosted?.sandbox;
  }

  /**
   * Makes a container; with the first one, the sandbox. Undoes everything when it fails.
   * @throws KataError
   */
  async createContainer(order: ContainerOrder): Promise<Container> {
    const { id } = order;
    const { host } = this.#order;
    const bundle = host.during(() => {
      const read = readBundle(order.bundle);
      checkNamespacesOf(read.spec);
      return read;
    });
    checkTerminal(bundle, order.terminal);
    const role = podRole(bundle.spec.annotations);
    if (role.kind === "container") this.#checkJoins(role.sandboxId, bundle);
    else this.#checkBegins(id);
    using trees = openBundleTrees(host, bundle, order.rootfs);
    await using undo = new Undo();
    // The last to be done: what hooks have made is removed when nothing else is left.
    undo.defer(() => this.#runPoststop(id));
    if (role.kind === "container") this.#join(id, bundle, undo);
    else await this.#begin(bundle, order.configPath, undo);
    await this.#runCreateHooks(id, bundle, order.abandoned);
    const stdio = await order.openStdio();
    if (order.abandoned.aborted)
      throw new KataError("Canceled", `container "${id}" was removed while it was made`);
    const container = await this.#create(id, bundle, trees, stdio);
    undo.commit();
    return container;
  }

  /** @param execId "": the container's first process */
  async resize(id: string, execId: string, { row, column }: Size): Promise<void> {
    await this.sandbox.resize(id, execId || id, row, column);
  }

  /** Whether nothing of the sandbox is there. */
  get isEmpty(): boolean {
    return (this.#hosted?.sandbox.containers().length ?? 0) === 0;
  }

  /** containerd knows the sandbox's own container no more, and the others are there: the record does as it does. */
  forgetOwn(): void {
    const { id } = this.#order;
    this.#store.update(id, (record) => withoutContainer(record, id));
  }

  /** The poststart hooks: one that fails changes nothing any more. */
  async started(id: string): Promise<void> {
    const hooked = this.#hooked.get(id);
    if (hooked === undefined) return;
    const { container, spec } = hooked;
    await runLaterHooks("poststart", spec.hooks?.poststart, container, ops.getpid(), this.#warn);
  }

  /**
   * Removes a container that has ended, and with the last one the sandbox.
   * @param force its output need not have arrived
   */
  async removeContainer(id: string, force: boolean): Promise<void> {
    const { sandbox } = this;
    try {
      await sandbox.removeContainer(id, force);
    } catch (error) {
      // Somebody else has removed it: `delete`, by the daemon's own socket.
      if (!(error instanceof KataError) || error.code !== "NotFound") throw error;
    }
    if (sandbox.containers().length === 0) await this.#undo();
    await this.#runPoststop(id);
  }

  /** Ends the VM, if there is one, and removes what is left of the sandbox. */
  async end(): Promise<void> {
    const sandbox = this.#hosted?.sandbox;
    if (sandbox === undefined) return;
    await sandbox.stop();
    if (sandbox.containers().length === 0) await this.#undo().catch(() => {});
  }

  async #undo(): Promise<void> {
    this.#hosted = undefined;
    await undoSandbox(this.#store, this.#order.id);
  }

  #checkBegins(id: string): void {
    if (id !== this.#order.id)
      throw new KataError("InvalidArgument", `container "${id}" is not that of sandbox "${this.#order.id}"`);
    if (this.#hosted !== undefined)
      throw new KataError("AlreadyExists", `container with given ID already exists: ${id}`);
    if (this.#begun)
      throw new KataError("FailedPrecondition", `sandbox "${id}" has ended: it needs a new shim`);
  }

  #checkJoins(sandboxId: string, bundle: Bundle): void {
    if (sandboxId !== this.#order.id || this.#hosted === undefined)
      throw new KataError("NotFound", `sandbox "${sandboxId}" does not exist`);
    refuseContainerAnnotations(bundle.spec.annotations);
    const pid = `/proc/${ops.getpid()}/ns/pid`;
    this.#order.host.during(() =>
      checkJoinedNamespaces(bundle.spec, sandboxId, {
        network: (path) => isSameNamespace(path, "/proc/thread-self/ns/net"),
        // Our pid stands for the sandbox's containers on the host, where its namespaces are not the guest's: the name says it.
        pid: (path) => path === pid,
      }),
    );
  }

  /** This process becomes the daemon of a new sandbox. */
  async #begin(bundle: Bundle, configPath: string, undo: Undo): Promise<void> {
    const { id, namespace, socket, debug, host, lifetime, shimRpcs, log } = this.#order;
    const root = taskRoot(namespace);
    const sources = { annotations: bundle.spec.annotations, optionsPath: configPath };
    const config = host.during(() => loadSandboxConfig(sources));
    const scope = wantedScope(isScopeName(bundle.spec.linux?.cgroupsPath ?? ""), bundle, id);
    const network = undo.use(host.during(() => openNetworkNamespace(bundle.spec)));
    const { listener } = host.during(() =>
      claimRecord({ id, root, bundle, scope, config, undo, ours: true }),
    );
    this.#begun = true;
    if (scope !== undefined) await makeScope(scope, id);
    // A cgroup with a process in it cannot be removed.
    undo.defer(() => leaveCgroup());
    const record = this.#store.update(id, (current) =>
      withResource(nameOwnResources(current), { kind: "socket", path: socket }),
    );
    const phases = new Phases();
    const warnings = new Warnings();
    const sandboxLog = openSandboxLog({
      sandbox: record,
      debug: debug || wantsDebug(config),
      onWarning: (line) => {
        warnings.add(line);
        log.warn(line, { sandbox: id });
      },
    });
    const confinement = leaveHostView(config, record, network.release());
    this.#hosted = hostSandbox({
      record,
      store: this.#store,
      config,
      confinement,
      shimRpcs,
      phases,
      log: sandboxLog,
      warnings,
      undone: () => {
        this.#hosted = undefined;
      },
    });
    const server = serveDaemon(listener.release(), this.#hosted, lifetime, shimRpcs, sandboxLog);
    const management = serveManagement(record, this.#hosted, sandboxLog);
    if (management !== undefined) this.#tellManagement(root, bundle);
    const { sandbox } = this.#hosted;
    undo.defer(async () => {
      await sandbox.stop();
      server.close();
      management?.close();
      this.#hosted = undefined;
    });
    lifetime.over.then(() => {
      server.close();
      management?.close();
    });
  }

  /** Where whoever collects figures finds the socket's address, beside that of the shim. */
  #tellManagement(root: string, { path }: Bundle): void {
    const { id, host, log } = this.#order;
    try {
      host.during(() =>
        writeText(`${path}/monitor_address`, `unix://${managementSocketPath(root, id)}`, 0o600),
      );
    } catch (error) {
      log.warn("cannot tell the management socket", { reason: KataError.from(error).message });
    }
  }

  #join(id: string, bundle: Bundle, undo: Undo): void {
    const { id: sandboxId } = this.#order;
    this.#store.join(id, sandboxId);
    undo.defer(() => this.#hosted?.sandbox.giveUpId(id));
    this.#store.update(sandboxId, (record) => withContainer(record, containerBeingMade(id, bundle)));
  }

  async #runCreateHooks(id: string, { spec, path }: Bundle, abandoned: AbortSignalLike): Promise<void> {
    const container = { ...hookedContainer(id, path, spec), hostNamespaces: this.#order.host.all };
    this.#hooked.set(id, { container, spec });
    await runCreateHooks(spec.hooks, container, ops.getpid(), abandoned);
  }

  async #runPoststop(id: string): Promise<void> {
    const hooked = this.#hooked.get(id);
    this.#hooked.delete(id);
    if (hooked === undefined) return;
    await runLaterHooks("poststop", hooked.spec.hooks?.poststop, hooked.container, 0, this.#warn);
  }

  async #create(id: string, bundle: Bundle, trees: Trees, stdio: ProcessStdio): Promise<Container> {
    const volumes = trees.volumes.map(({ volume, tree }) => ({
      index: volume.index,
      tree,
      directory: volume.directory,
    }));
    const { rootfs } = trees;
    const standIn = () => Promise.resolve(0);
    const { path, spec } = bundle;
    return await this.sandbox.createContainer({ id, bundle: path, spec, rootfs, volumes, stdio, standIn });
  }

  readonly #warn = (message: string): void => this.#order.log.warn(message);
}

function checkTerminal({ process, path }: Bundle, terminal: boolean): void {
  if ((process.terminal ?? false) === terminal) return;
  const [said, asked] = terminal ? ["none", "one"] : ["one", "none"];
  throw new KataError(
    "InvalidArgument",
    `${path}/config.json: process.terminal: it has ${said}, and ${asked} was asked for`,
  );
}

/** The bundle's mounts, and over its root file system those of containerd's snapshotter: nobody else ever sees those. */
function openBundleTrees(host: HostNamespaces, bundle: Bundle, rootfs: readonly ContainerdMount[]): Trees {
  if (rootfs.length === 0) return host.during(() => openTrees(bundle));
  return host.duringPrivately(() => {
    mountRootfs(rootfs, bundle.rootfs);
    return openTrees(bundle);
  });
}
