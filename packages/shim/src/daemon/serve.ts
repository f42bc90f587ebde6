import { Daemon } from "@kata-containers/protocols";
import type { Logger, RpcDurations } from "@kata-containers/sys";
import { Handlers, type Server, serve, unixListener } from "@kata-containers/ttrpc";
import { answerCalls } from "./answer-calls.ts";
import type { Lifetime } from "./lifetime.ts";
import type { HostedSandbox } from "./sandbox-host.ts";

/** Serves the Daemon service on a listening socket, which it owns. Every call counts for the daemon's lifetime. */
export function serveDaemon(
  listener: number,
  { service, control }: Pick<HostedSandbox, "service" | "control">,
  lifetime: Lifetime,
  shimRpcs: RpcDurations,
  log: Logger,
): Server {
  const handlers = new Handlers();
  const answer = answerCalls(handlers, lifetime, shimRpcs, log);
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
