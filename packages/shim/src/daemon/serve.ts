import { Daemon, type Init, type Method } from "@kata-containers/protocols";
import { Fd, KataError, type Logger, ops, type RpcDurations } from "@kata-containers/sys";
import { type Context, Handlers, type Server, serve, unixListener } from "@kata-containers/ttrpc";
import type { Lifetime } from "./lifetime.ts";
import { actionOf } from "./rpc-action.ts";
import type { HostedSandbox } from "./sandbox-host.ts";
import type { CallContext } from "./service.ts";

/** Serves the Daemon service on a listening socket, which it owns. Every call counts for the daemon's lifetime. */
export function serveDaemon(
  listener: number,
  { service, control }: Pick<HostedSandbox, "service" | "control">,
  lifetime: Lifetime,
  shimRpcs: RpcDurations,
  log: Logger,
): Server {
  const handlers = new Handlers();
  const answer = <Req extends object, Res extends object>(
    method: Method<Req, Res>,
    handle: (request: Req, context: CallContext) => Promise<Init<Res>>,
  ): void => {
    const action = actionOf(method);
    handlers.unary(method, (request, context) =>
      lifetime.during(async () => {
        const fds = context.fds.map((fd) => new Fd(fd));
        const peerPid = context.peer.pid ?? 0;
        const begunMs = ops.monotonicMs();
        log.debug("call", { method: method.method, peerPid });
        try {
          const answer = await handle(request, { peerPid, fds, cancelled: cancelled(context) });
          log.debug("answered", { method: method.method, peerPid });
          return answer;
        } catch (error) {
          log.debug("refused", { method: method.method, peerPid, reason: KataError.from(error).message });
          throw error;
        } finally {
          shimRpcs.since(action, begunMs);
          for (const fd of fds) fd.close();
        }
      }),
    );
  };
  answer(Daemon.Create, (request, context) => service.create(request, context));
  answer(Daemon.Start, (request) => service.start(request));
  answer(Daemon.Exec, (request, context) => service.exec(request, context));
  answer(Daemon.Attach, (request, context) => service.attach(request, context));
  answer(Daemon.Wait, (request) => service.wait(request));
  answer(Daemon.Kill, (request) => service.kill(request));
  answer(Daemon.State, (request) => service.state(request));
  answer(Daemon.Pause, (request) => control.pause(request));
  answer(Daemon.Resume, (request) => control.resume(request));
  answer(Daemon.Update, (request) => control.update(request));
  answer(Daemon.Ps, (request) => control.ps(request));
  answer(Daemon.Stats, (request) => control.stats(request));
  answer(Daemon.NextEvent, (request, context) => control.nextEvent(request, context.cancelled));
  answer(Daemon.ResizePty, (request) => service.resizePty(request));
  answer(Daemon.Metrics, (request) => control.metrics(request));
  answer(Daemon.Delete, (request) => service.delete(request));
  return serve(unixListener(listener), handlers, {
    onConnectionError: (error) => log.warn("connection ended", { reason: error.message }),
  });
}

function cancelled(context: Context): Promise<void> {
  const { signal } = context;
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
