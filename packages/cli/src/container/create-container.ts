import type { KataConfig } from "@kata-containers/config";
import { podRole, validateContainerId } from "@kata-containers/oci";
import { Daemon } from "@kata-containers/protocols";
import {
  type Bundle,
  checkNamespacesOf,
  containerBeingMade,
  createTimeoutMs,
  type DaemonClient,
  openTrees,
  readBundle,
  type SignalInbox,
  type Trees,
  type WantedScope,
  wantedScope,
} from "@kata-containers/shim";
import { KataError, signalName, Undo } from "@kata-containers/sys";
import type { ContainerRecord } from "@kata-containers/virtcontainers";

import { endingSignal } from "../ending-signal.ts";
import type { Globals } from "../globals.ts";
import { absolutePath } from "../paths.ts";
import { passOnWarning, reportWarning } from "../report-error.ts";
import { CreateHooks } from "./create-hooks.ts";
import { joinSandbox } from "./join-sandbox.ts";
import type { OpenSandbox } from "./open-sandbox.ts";
import { writePidFile } from "./pid-file.ts";
import { type ShimProcess, spawnContainerShim } from "./shim-process.ts";
import { activatedDescriptors } from "./socket-activation.ts";
import { startSandbox } from "./start-sandbox.ts";
import { openStdio, type ProcessStdio } from "./stdio.ts";
import { Stopwatch } from "./stopwatch.ts";

const NOT_PASSED =
  "LISTEN_FDS: descriptors of socket activation are not passed: they cannot cross into the virtual machine";

/** What `create` and `run` are asked for. */
export interface CreateOrder {
  readonly id: string;
  readonly globals: Globals;
  readonly bundle: string;
  readonly pidFile: string | undefined;
  readonly consoleSocket: string | undefined;
  /** The command returns while the container lives. */
  readonly detach: boolean;
  /** Gets the signals while the container is made: those that end a command undo everything. */
  readonly signals: SignalInbox;
}

/** A container that waits to be started. */
export interface CreatedContainer {
  readonly config: KataConfig;
  readonly daemon: DaemonClient;
  readonly shim: ShimProcess;
  readonly record: ContainerRecord;
  /** Its process has a terminal. */
  readonly terminal: boolean;
  readonly stopwatch: Stopwatch;
}

/**
 * Makes a container and, unless it joins that of its pod, a sandbox: validates everything, writes the record, starts
 * the daemon and kata-shim, and has the daemon create it. The pid file comes last. A failure, and a signal that ends
 * a command, undoes everything.
 * @throws KataError
 */
export async function createContainer(order: CreateOrder): Promise<CreatedContainer> {
  const stopwatch = new Stopwatch();
  const id = validateContainerId(order.id);
  const bundle = readBundle(absolutePath(order.bundle));
  checkNamespacesOf(bundle.spec);
  const warn = (message: string) => reportWarning(order.globals, message);
  const scope = wantedScope(order.globals.systemdCgroup, bundle, id);
  // A tree can be attached once: the guest's share gets one clone, kata-shim another.
  using trees = openTrees(bundle);
  using shimTrees = openTrees(bundle);
  using hooks = new CreateHooks(id, bundle);
  await using undo = new Undo();
  undo.defer(() => hooks.undone(warn));
  using stdio = await openStdio({ ...order, process: bundle.process });
  stopwatch.lap("cli: validate");

  stopwatch.daemonStarts();
  const sandbox = await openSandbox(id, { ...order, scope }, bundle, hooks.seconds, undo);
  const { config, daemon, socket } = sandbox;
  using networkNamespace = sandbox.networkNamespace;
  const { gate } = hooks;
  const shim = spawnContainerShim({ config, socket, id, stdio, networkNamespace, trees: shimTrees, gate });
  undo.defer(() => shim.kill());
  undo.defer(() => hooks.stop());
  stopwatch.lap("cli: spawn");

  const request = createRequest(id, bundle, trees, stdio, createTimeoutMs(config));
  const created = hooks.run(shim).then(() => daemon.call(Daemon.Create, ...request));
  const { phases, warnings } = await Promise.race([
    created,
    // The daemon's own words, when it cannot even start, are better than a broken connection.
    failureOf(sandbox.ready).then((failure) => Promise.reject(failure)),
    endOfShim(shim),
    endingSignal(order.signals),
  ]).catch(async (error) => {
    throw await betterReason(error, sandbox.ready);
  });
  stopwatch.lap("cli: wait for the daemon");
  stopwatch.tell(phases);
  const dropped = activatedDescriptors() === 0 ? [] : [NOT_PASSED];
  for (const warning of [...dropped, ...warnings]) passOnWarning(order.globals, warning);
  if (order.pidFile !== undefined) writePidFile(order.pidFile, shim.pid);
  undo.commit();
  return {
    config,
    daemon,
    shim,
    record: containerBeingMade(id, bundle),
    terminal: stdio.terminal,
    stopwatch,
  };
}

/** A new sandbox, or that of the container's pod. */
function openSandbox(
  id: string,
  { globals, scope }: { readonly globals: Globals; readonly scope: WantedScope | undefined },
  bundle: Bundle,
  hookSeconds: number | undefined,
  undo: Undo,
): Promise<OpenSandbox> {
  const role = podRole(bundle.spec.annotations);
  if (role.kind !== "container") return startSandbox({ id, globals, bundle, scope, hookSeconds, undo });
  return joinSandbox({ id, sandboxId: role.sandboxId, globals, bundle, undo });
}

function createRequest(id: string, bundle: Bundle, trees: Trees, stdio: ProcessStdio, timeoutMs: number) {
  const fds: number[] = [];
  const send = (fd: number | undefined) => (fd === undefined ? 0 : fds.push(fd));
  const request = {
    id,
    bundle: bundle.path,
    configJson: bundle.configJson,
    rootfsFd: send(trees.rootfs.number),
    mounts: trees.volumes.map(({ volume, tree }) => ({
      mountIndex: volume.index,
      treeFd: send(tree.number),
      directory: volume.directory,
    })),
    stdio: sendStdio(stdio, send),
    attach: true,
  };
  return [request, { fds, timeoutMs }] as const;
}

/** The Stdio message: descriptors by their place among those that go along. */
export function sendStdio(stdio: ProcessStdio, send: (fd: number | undefined) => number) {
  const [stdin, stdout, stderr] = stdio.daemonFds;
  return { terminal: stdio.terminal, stdinFd: send(stdin), stdoutFd: send(stdout), stderrFd: send(stderr) };
}

async function endOfShim(shim: ShimProcess): Promise<never> {
  const { code, signal } = await shim.exit;
  const how = signal === undefined ? `status ${code}` : signalName(signal);
  throw new KataError("Internal", `kata-shim ended with ${how} before the container was created`);
}

/** Resolves with the reason when the promise rejects; stays pending when it resolves. */
function failureOf(promise: Promise<void>): Promise<unknown> {
  return new Promise((resolve) => {
    promise.catch(resolve);
  });
}

/** A broken connection says less than what the daemon wrote into its pipe before it ended. */
async function betterReason(error: unknown, ready: Promise<void>): Promise<unknown> {
  if (!(error instanceof KataError) || error.code !== "Unavailable") return error;
  return ready.then(
    () => error,
    (reason) => reason,
  );
}
