import { absolutePath, type Values, writePidFile } from "@kata-containers/cli";
import {
  checkCgroupsEmpty,
  compileContainer,
  hookedContainer,
  type Launched,
  readHostFacts,
  runLaterHooks,
} from "@kata-containers/launch";
import { laterHooks, parseSpec, type Spec, validateContainerId } from "@kata-containers/oci";
import {
  exists,
  isSysError,
  joinPath,
  KataError,
  MAX_TEXT_BYTES,
  mkdirp,
  ops,
  replaceFile,
  Undo,
} from "@kata-containers/sys";
import { refuseScopeName } from "@kata-containers/systemd";
import { removeCgroups } from "./cgroup-removal.ts";
import { sendConsole } from "./console.ts";
import type { containerOptions } from "./container-options.ts";
import { processStat } from "./container-process.ts";
import type { Globals } from "./globals.ts";
import { unmountRoot } from "./host-mount.ts";
import { launchProcess, START_FD, STARTED_FD } from "./launch-process.ts";
import { passedDescriptors } from "./passed-descriptors.ts";
import { type ContainerRecord, RecordDirectory } from "./record.ts";
import { warn } from "./report.ts";
import { startIsWatched } from "./start-is-watched.ts";
import { refuseUsedScope, refuseUsersScopeOnV1, stopContainerScope, wantedScope } from "./systemd-scope.ts";

/** A container that has been made; its process is our child. `directory` is locked. */
export type Created = {
  readonly record: ContainerRecord;
  readonly directory: RecordDirectory;
  readonly process: Launched;
};

export type CreateOrder = {
  /** Its process waits on the exec FIFO (`create`); else it runs at once (`run`). */
  readonly waits: boolean;
  /** The terminal's master stays with us (`run` in the foreground), when no console socket is given. */
  readonly keepsTerminal: boolean;
  /** Told of each phase that has ended: "compile", "record", "launch". */
  readonly lap?: (phase: string) => void;
};

/** Makes a container from a bundle. */
export async function createContainer(
  id: string,
  options: Values<typeof containerOptions>,
  globals: Globals,
  { waits, keepsTerminal, lap }: CreateOrder,
): Promise<Created> {
  validateContainerId(id);
  const bundle = absolutePath(options.bundle ?? ".");
  const { spec, text } = readBundle(bundle);
  checkTerminal(spec, options["console-socket"], keepsTerminal);
  if (!globals.systemdCgroup) refuseScopeName(spec.linux?.cgroupsPath, bundle);
  const facts = readHostFacts(options["no-pivot"] ? { rootIsInitramfs: true } : {});
  const ofUser = globals.rootless;
  const scope = globals.systemdCgroup ? await wantedScope(spec, id, ofUser) : undefined;
  const passed = passedDescriptors(options["preserve-fds"]);
  refuseOwnMountNamespace(spec);
  const hooks = laterHooks(spec.hooks);
  const watched = waits && startIsWatched(hooks);
  const compiled = compileContainer(withEnv(spec, passed.env), facts, {
    id,
    bundle,
    ...(waits ? { startFd: START_FD } : {}),
    ...(watched ? { startedFd: STARTED_FD } : {}),
    ...(spec.hooks === undefined ? {} : { hookEnv: ops.env() }),
    ...(scope === undefined ? {} : { scopePath: scope.path }),
    keepsKeyring: options["no-new-keyring"],
    rootless: globals.rootless,
    pass: passed.pass,
  });
  if (scope !== undefined && ofUser) refuseUsersScopeOnV1(compiled.cgroups);
  for (const warning of compiled.warnings) warn(warning);
  const rootfs = joinPath(bundle, spec.root?.path ?? "");
  if (!exists(rootfs)) throw new KataError("NotFound", `rootfs (${rootfs}) does not exist`);
  lap?.("compile");

  await using undo = new Undo();
  // What hooks have made, the poststop hooks remove (OCI runtime-spec, runtime.md, "Lifecycle", steps 3 to 5).
  const container = hookedContainer(id, bundle, spec);
  let launched = false;
  undo.defer(() => runLaterHooks("poststop", launched ? hooks?.poststop : [], container, 0, warn));
  mkdirp(globals.root, 0o711);
  const directory = undo.use(RecordDirectory.create(globals.root, id));
  undo.defer(() => directory.remove());
  checkCgroupsEmpty(compiled.cgroups.map(({ directory }) => directory));
  if (scope !== undefined) refuseUsedScope(scope, compiled.cgroups);
  const { hostMount } = compiled;
  const record: ContainerRecord = {
    version: 1,
    id,
    bundle,
    rootfs,
    ociVersion: spec.ociVersion,
    ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    created: new Date(ops.realtimeMs()).toISOString(),
    pid: 0,
    startTime: 0,
    cgroups: compiled.cgroups,
    ...(scope === undefined ? {} : { scope: scope.unit, ...(ofUser ? { scopeOfUser: true } : {}) }),
    ...(hostMount === undefined ? {} : { hostMount }),
    ...(hooks === undefined ? {} : { hooks }),
  };
  // Before anything is made, so that `delete --force` finds what a crash would leave.
  directory.write(record);
  replaceFile(directory.spec, text, 0o600);
  if (compiled.seccomp !== undefined) directory.writeSeccomp(compiled.seccomp);
  undo.defer(() => stopContainerScope(record));
  undo.defer(() => removeCgroups(compiled.cgroups));
  if (hostMount !== undefined) undo.defer(() => unmountRoot(hostMount));
  lap?.("record");
  launched = true;
  const process = await launchProcess(compiled.plan, spec, {
    directory,
    waits,
    watched,
    container,
    launchPath: globals.launchPath,
    passed: passed.fds,
    ...(scope === undefined ? {} : { scope: { name: scope, ofUser, cgroups: compiled.cgroups } }),
    undo,
  });
  const started = { ...record, pid: process.pid, startTime: processStat(process.pid)?.startTime ?? 0 };
  directory.write(started);
  const socket = options["console-socket"];
  if (socket !== undefined && process.console !== undefined) await sendConsole(socket, process.console);
  const pidFile = options["pid-file"];
  if (pidFile !== undefined) writePidFile(pidFile, process.pid);
  undo.commit();
  lap?.("launch");
  return { record: started, directory, process };
}

function withEnv(spec: Spec, env: readonly string[]): Spec {
  const { process } = spec;
  if (process === undefined || env.length === 0) return spec;
  return { ...spec, process: { ...process, env: [...(process.env ?? []), ...env] } };
}

function readBundle(bundle: string): { spec: Spec; text: Uint8Array } {
  const path = `${bundle}/config.json`;
  try {
    const text = ops.readFile(path, MAX_TEXT_BYTES);
    return { spec: parseSpec(text), text };
  } catch (error) {
    if (isSysError(error, "ENOENT", "ENOTDIR")) {
      throw new KataError("NotFound", `JSON specification file config.json not found: ${path}`);
    }
    throw error;
  }
}

/** The container's root would become ours, and everyone's who is in this namespace. */
function refuseOwnMountNamespace(spec: Spec): void {
  const path = spec.linux?.namespaces?.find(({ type }) => type === "mount")?.path;
  if (path === undefined || path === "" || !exists(path)) return;
  const [asked, own] = [ops.stat(path), ops.stat("/proc/self/ns/mnt")];
  if (asked.ino === own.ino && asked.dev === own.dev)
    throw new KataError(
      "InvalidArgument",
      `config.json: linux.namespaces: ${path} is the host's mount namespace`,
    );
}

/** runc's rules and texts (utils_linux.go, checkTerminal). */
function checkTerminal(spec: Spec, socket: string | undefined, keepsTerminal: boolean): void {
  const terminal = spec.process?.terminal === true;
  if (!keepsTerminal && terminal && socket === undefined) {
    throw new KataError(
      "InvalidArgument",
      "cannot allocate tty if runk will detach without setting console socket",
    );
  }
  if ((keepsTerminal || !terminal) && socket !== undefined) {
    throw new KataError(
      "InvalidArgument",
      "cannot use console socket if runk will not detach or allocate tty",
    );
  }
}
