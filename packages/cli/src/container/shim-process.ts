import type { KataConfig } from "@kata-containers/config";
import type { Trees } from "@kata-containers/shim";
import {
  CLONE,
  type ExitStatus,
  Fd,
  KataError,
  O,
  ops,
  SIG,
  type SpawnFd,
  signalIfAlive,
} from "@kata-containers/sys";
import { SHARED_MEMORY } from "@kata-containers/virtcontainers";
import type { ProcessStdio } from "./stdio.ts";

/** A kata-shim that we started: our child, which stands for a container's process on the host. */
export interface ShimProcess extends Disposable {
  readonly pid: number;
  /** Settles once, when it has ended. */
  readonly exit: Promise<ExitStatus>;
  signal(signal: number): void;
  /** Kills it and waits for its end. */
  kill(): Promise<void>;
}

interface ShimOrder {
  readonly config: KataConfig;
  readonly socket: string;
  readonly id: string;
  readonly stdio: ProcessStdio;
}

/** The first descriptor after stdio. */
const FIRST = 3;

/** Starts the kata-shim of a container's first process: in the sandbox's network namespace, and new ones of every other kind: whoever enters them changes nothing of the host. */
export function spawnContainerShim(
  order: ShimOrder & { networkNamespace: Fd; trees: Trees; gate: Fd | undefined },
): ShimProcess {
  const { trees, gate } = order;
  const fds = [{ from: trees.rootfs.number, to: FIRST }];
  const argv = [...commonArguments(order), "--rootfs-fd", String(FIRST)];
  // The host's shared memory is not what the container has there, and nothing is to be made for it in the root file system.
  const volumes = trees.volumes.filter(({ volume }) => volume.destination !== SHARED_MEMORY);
  for (const [index, { tree, volume }] of volumes.entries()) {
    fds.push({ from: tree.number, to: FIRST + 1 + index });
    argv.push("--volume", `${FIRST + 1 + index}:${volume.destination}`);
  }
  if (gate !== undefined) {
    const to = FIRST + fds.length;
    fds.push({ from: gate.number, to });
    argv.push("--gate-fd", String(to));
  }
  return spawnShim(
    order,
    argv,
    fds,
    [order.networkNamespace.number],
    CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWNS | CLONE.NEWUTS | CLONE.NEWCGROUP,
  );
}

/** Starts the kata-shim of another process: it joins the namespaces of the container's own, in a pid namespace of its own. */
export function spawnExecShim(order: ShimOrder & { execId: string; containerShim: number }): ShimProcess {
  const open = (name: string) =>
    new Fd(ops.open(`/proc/${order.containerShim}/ns/${name}`, O.RDONLY | O.CLOEXEC, 0));
  using network = open("net");
  using ipc = open("ipc");
  using uts = open("uts");
  using cgroup = open("cgroup");
  using mounts = open("mnt");
  const argv = [...commonArguments(order), "--exec-id", order.execId, "--mount-namespace-fd", String(FIRST)];
  return spawnShim(
    order,
    argv,
    [{ from: mounts.number, to: FIRST }],
    [network, ipc, uts, cgroup].map((each) => each.number),
    CLONE.NEWPID,
  );
}

function commonArguments({ socket, id, stdio }: ShimOrder): string[] {
  const argv = ["kata-shim", "--socket", socket, "--id", id];
  if (stdio.shimTerminal) argv.push("--terminal");
  return argv;
}

function spawnShim(
  order: ShimOrder,
  argv: string[],
  fds: SpawnFd[],
  join: number[],
  unshare: number,
): ShimProcess {
  try {
    const { pid, pidfd } = ops.spawn({
      path: order.config.runtime.kata_shim_path,
      argv,
      env: [],
      cwd: "/",
      fds: [...order.stdio.shimFds, ...fds],
      join,
      unshare,
      setsid: true,
      ctty: order.stdio.shimTerminal,
    });
    return shimProcess(pid, new Fd(pidfd));
  } catch (error) {
    throw KataError.from(error, "cannot start kata-shim");
  }
}

function shimProcess(pid: number, pidfd: Fd): ShimProcess {
  const exit = ops.waitPidfd(pidfd.number);
  // Whoever needs it awaits it; a command that leaves while the shim runs does not.
  exit.catch(() => {});
  const signal = (number: number) => signalIfAlive(pidfd.number, number);
  return {
    pid,
    exit,
    signal,
    async kill() {
      signal(SIG.SIGKILL);
      await exit;
    },
    [Symbol.dispose]: () => pidfd.close(),
  };
}
