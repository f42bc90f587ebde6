import { Fd, isSysError, makePipe, O, ops, SIG, signalIfAlive } from "@kata-containers/sys";
import { connectUnix, createClient } from "@kata-containers/ttrpc";
import type { EventHost } from "./event-sender.ts";
import type { HostNamespaces } from "./host-namespaces.ts";

/** Reaches containerd from a process that has left the host's view. */
export function eventHost(host: HostNamespaces): EventHost {
  return {
    async connect(path) {
      try {
        using socket = host.during(() => new Fd(ops.open(path, O.PATH | O.CLOEXEC, 0)));
        return createClient(await connectUnix(`/proc/self/fd/${socket.number}`));
      } catch (error) {
        if (isSysError(error, "ENOENT", "ECONNREFUSED")) return undefined;
        throw error;
      }
    },
    async run(argv, stdin, timeoutMs) {
      const { read, write } = makePipe();
      using input = write;
      const { pidfd } = spawnThere(host, argv, read);
      using process = new Fd(pidfd);
      const timer = setTimeout(() => signalIfAlive(process.number, SIG.SIGKILL), timeoutMs);
      try {
        await ops.write(input.number, stdin).catch(() => {});
        input.close();
        const { code, signal } = await ops.waitPidfd(process.number);
        return code ?? 128 + (signal ?? 0);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function spawnThere(host: HostNamespaces, argv: readonly string[], stdin: Fd) {
  using input = stdin;
  const [path = ""] = argv;
  const fds = [{ from: input.number, to: 0 }];
  return ops.spawn({ path, argv: [...argv], env: ops.env(), cwd: "/", fds, join: host.all });
}
