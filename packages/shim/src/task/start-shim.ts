import { parseSpec, podRole } from "@kata-containers/oci";
import { Fd, isSysError, KataError, O, ops, writeText } from "@kata-containers/sys";
import { readConfigJson } from "../client/bundle.ts";
import { listenOnce } from "../listen-once.ts";
import type { ShimArguments } from "./arguments.ts";
import { taskSocket } from "./places.ts";

/** The descriptor that the serving shim finds its socket at. */
export const TASK_LISTENER = 3;

/**
 * containerd's `start`: the address of the socket where the bundle's tasks are served. For a container of a pod that is the sandbox's, and
 * nothing is started.
 * @returns `unix://` and a path
 * @throws KataError AlreadyExists when the sandbox is served already
 */
export async function startShim(args: ShimArguments): Promise<string> {
  const bundle = args.bundle ?? ops.readlink("/proc/self/cwd");
  const role = podRole(annotationsOf(bundle));
  const sandboxId = role.kind === "container" ? role.sandboxId : args.id;
  const path = taskSocket(args.address, args.namespace, sandboxId);
  const address = `unix://${path}`;
  if (role.kind !== "container") {
    using listener = await listenOnce(path, "the shim's socket", "the sandbox has a shim already");
    try {
      writeText(`${bundle}/shim.pid`, String(spawnShim(args, bundle, listener)), 0o600);
    } catch (error) {
      ops.unlink(path);
      throw KataError.from(error, "cannot start the shim");
    }
  }
  writeText(`${bundle}/address`, address, 0o600);
  return address;
}

function annotationsOf(bundle: string): Readonly<Record<string, string>> | undefined {
  const path = `${bundle}/config.json`;
  return parseSpec(readConfigJson(path), path).annotations;
}

/** The shim that serves: a session of its own, nobody's child; containerd waits for the end of our output, which it must not have. */
function spawnShim(
  { namespace, address, publishBinary, id, debug }: ShimArguments,
  bundle: string,
  listener: Fd,
): number {
  const argv = ["kata-task", "-namespace", namespace, "-address", address];
  argv.push("-publish-binary", publishBinary, "-id", id, "-bundle", bundle);
  if (debug) argv.push("-debug");
  // What the engine says of a program that broke is in containerd's log then.
  using log = openLogPipe(bundle);
  const { pid, pidfd } = ops.spawn({
    path: ops.readlink("/proc/self/exe"),
    argv,
    env: ops.env(),
    cwd: "/",
    fds: [
      { from: listener.number, to: TASK_LISTENER },
      ...(log === undefined ? [] : [{ from: log.number, to: 2 }]),
    ],
    setsid: true,
    doubleFork: true,
  });
  ops.close(pidfd);
  return pid;
}

/** The FIFO `log` of a bundle, which containerd reads into its own log. Full, or without a reader, it takes no more, and nobody waits. */
export function openLogPipe(bundle: string): Fd | undefined {
  try {
    return new Fd(ops.open(`${bundle}/log`, O.RDWR | O.NONBLOCK | O.CLOEXEC, 0));
  } catch (error) {
    if (isSysError(error)) return undefined;
    throw error;
  }
}
