import { Fd, KataError, ops } from "@kata-containers/sys";

/** The name by which the binary runs the bundle of kata-host.main.ts. */
const HOST_PROGRAM = "kata-host";

/**
 * Runs this very command line in the bundle of the commands that look at the host. They are seldom needed and large:
 * every other command would pay for reading them.
 * @returns its exit status
 */
export async function inHostProgram(): Promise<number> {
  const { pidfd } = spawnHostProgram();
  using child = new Fd(pidfd);
  const { code, signal = 0 } = await ops.waitPidfd(child.number);
  return code ?? 128 + signal;
}

function spawnHostProgram() {
  const argv = [HOST_PROGRAM, ...ops.args().slice(1)];
  const fds = [0, 1, 2].map((fd) => ({ from: fd, to: fd }));
  try {
    return ops.spawn({ path: "/proc/self/exe", argv, env: ops.env(), fds });
  } catch (error) {
    throw KataError.from(error, "cannot start the commands that look at the host");
  }
}
