import {
  compileContainer,
  hookedContainer,
  type Launched,
  readHostFacts,
  runLaterHooks,
} from "@kata-containers/launch";
import { parseSpec, type Spec, validateContainerId } from "@kata-containers/oci";
import {
  exists,
  isSysError,
  KataError,
  MAX_TEXT_BYTES,
  mkdirp,
  ops,
  Undo,
  writeFileAtomic,
} from "@kata-containers/sys";
import type { Arguments, Options } from "./arguments.ts";
import { refuseUsedCgroups, removeCgroups } from "./cgroup-removal.ts";
import { sendConsole } from "./console.ts";
import { processStat } from "./container-process.ts";
import type { Globals } from "./globals.ts";
import { unmountRoot } from "./host-mount.ts";
import { laterHooks, startIsWatched } from "./later-hooks.ts";
import { launchProcess, START_FD, STARTED_FD } from "./launch-process.ts";
import { type ContainerRecord, RecordDirectory } from "./record.ts";
import { warn } from "./report.ts";

export const CREATE_OPTIONS: Options = {
  bundle: { short: "b", value: true },
  "console-socket": { value: true },
  "pid-file": { value: true },
  "no-pivot": {},
  "preserve-fds": { value: true },
};

/** A container that has been made; its process is our child. `directory` is locked. */
export type Created = {
  readonly record: ContainerRecord;
  readonly directory: RecordDirectory;
  readonly process: Launched;
};

/**
 * Makes a container from a bundle.
 *
 * @param waits true: its process waits on the exec FIFO (`create`); false: it runs at once (`run`).
 * @param keepsTerminal the terminal's master stays with us (`run` in the foreground) when no console socket is given.
 */
export async function createContainer(
  id: string,
  args: Arguments,
  globals: Globals,
  waits: boolean,
  keepsTerminal: boolean,
): Promise<Created> {
  validateContainerId(id);
  const bundle = absolute(args.value("bundle") ?? ".");
  const { spec, text } = readBundle(bundle);
  checkTerminal(spec, args, keepsTerminal);
  const facts = readHostFacts(args.flag("no-pivot") ? { rootIsInitramfs: true } : {});
  // Descriptors 3 and 4 are kata-launch's own, so the caller's cannot keep their numbers.
  if (Number(args.value("preserve-fds") ?? 0) > 0)
    throw new KataError("Unimplemented", "--preserve-fds is not supported");
  refuseOwnMountNamespace(spec);
  const hooks = laterHooks(spec.hooks);
  const watched = waits && startIsWatched(hooks);
  const compiled = compileContainer(spec, facts, {
    id,
    bundle,
    ...(waits ? { startFd: START_FD } : {}),
    ...(watched ? { startedFd: STARTED_FD } : {}),
    ...(spec.hooks === undefined ? {} : { hookEnv: ops.env() }),
  });
  for (const warning of compiled.warnings) warn(warning);
  const rootfs = absolute(spec.root?.path ?? "", bundle);
  if (!exists(rootfs)) throw new KataError("NotFound", `rootfs (${rootfs}) does not exist`);

  await using undo = new Undo();
  // What hooks have made, the poststop hooks remove (OCI runtime-spec, runtime.md, "Lifecycle", steps 3 to 5).
  const container = hookedContainer(id, bundle, spec);
  let launched = false;
  undo.defer(() => runLaterHooks("poststop", launched ? hooks?.poststop : [], container, 0, warn));
  mkdirp(globals.root, 0o711);
  const directory = undo.use(RecordDirectory.create(globals.root, id));
  undo.defer(() => directory.remove());
  refuseUsedCgroups(compiled.cgroups);
  const { hostMount } = compiled;
  const record: ContainerRecord = {
    version: 1,
    id,
    bundle,
    rootfs,
    ociVersion: spec.ociVersion,
    ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    created: new Date(ops.realtimeMs()).toISOString(),
    owner: ops.getuid(),
    pid: 0,
    startTime: 0,
    cgroups: compiled.cgroups,
    ...(hostMount === undefined ? {} : { hostMount }),
    ...(hooks === undefined ? {} : { hooks }),
  };
  // Before anything is made, so that `delete --force` finds what a crash would leave.
  directory.write(record);
  writeFileAtomic(directory.spec, text, 0o600);
  if (compiled.seccomp !== undefined) directory.writeSeccomp(compiled.seccomp);
  undo.defer(() => removeCgroups(compiled.cgroups));
  if (hostMount !== undefined) undo.defer(() => unmountRoot(hostMount));
  launched = true;
  const process = await launchProcess(compiled.plan, spec, {
    directory,
    waits,
    watched,
    container,
    launchPath: globals.launchPath,
    undo,
  });
  const started = { ...record, pid: process.pid, startTime: processStat(process.pid)?.startTime ?? 0 };
  directory.write(started);
  const socket = args.value("console-socket");
  if (socket !== undefined && process.console !== undefined) await sendConsole(socket, process.console);
  const pidFile = args.value("pid-file");
  if (pidFile !== undefined) writePidFile(pidFile, process.pid);
  undo.commit();
  return { record: started, directory, process };
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
function checkTerminal(spec: Spec, args: Arguments, keepsTerminal: boolean): void {
  const socket = args.value("console-socket");
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

export function writePidFile(path: string, pid: number): void {
  writeFileAtomic(path, `${pid}`, 0o644);
}

export function absolute(path: string, base = ops.readlink("/proc/self/cwd")): string {
  const joined = path.startsWith("/") ? path : `${base}/${path}`;
  const parts: string[] = [];
  for (const part of joined.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
