import { type Init, type Method, Task, TaskV3 } from "@kata-containers/protocols";
import type { Logger, RpcDurations } from "@kata-containers/sys";
import { Handlers, type Server, serve, unixListener } from "@kata-containers/ttrpc";
import { answerCalls } from "../daemon/answer-calls.ts";
import type { Lifetime } from "../daemon/lifetime.ts";
import type { TaskControl } from "./task-control.ts";
import type { TaskService } from "./task-service.ts";

/** Serves containerd's Task API, versions 2 and 3, on a listening socket, which it owns. */
export function serveTasks(
  listener: number,
  { service, control }: { readonly service: TaskService; readonly control: TaskControl },
  lifetime: Lifetime,
  shimRpcs: RpcDurations,
  log: Logger,
): Server {
  const handlers = new Handlers();
  const answerOne = answerCalls(handlers, lifetime, shimRpcs, log);
  const answer = <Req extends object, Res extends object>(
    methods: readonly Method<Req, Res>[],
    handle: (request: Req) => Promise<Init<Res>>,
  ): void => {
    for (const method of methods) answerOne(method, handle);
  };
  answer([Task.State, TaskV3.State], (request) => control.state(request));
  answer([Task.Create, TaskV3.Create], (request) => service.create(request));
  answer([Task.Start, TaskV3.Start], (request) => service.start(request));
  answer([Task.Delete, TaskV3.Delete], (request) => service.delete(request));
  answer([Task.Pids, TaskV3.Pids], (request) => control.pids(request));
  answer([Task.Pause, TaskV3.Pause], (request) => control.pause(request));
  answer([Task.Resume, TaskV3.Resume], (request) => control.resume(request));
  answer([Task.Checkpoint, TaskV3.Checkpoint], () => control.checkpoint());
  answer([Task.Kill, TaskV3.Kill], (request) => control.kill(request));
  answer([Task.Exec, TaskV3.Exec], (request) => service.exec(request));
  answer([Task.ResizePty, TaskV3.ResizePty], (request) => control.resizePty(request));
  answer([Task.CloseIO, TaskV3.CloseIO], (request) => control.closeIO(request));
  answer([Task.Update, TaskV3.Update], (request) => control.update(request));
  answer([Task.Wait, TaskV3.Wait], (request) => control.wait(request));
  answer([Task.Stats, TaskV3.Stats], (request) => control.stats(request));
  answer([Task.Connect, TaskV3.Connect], (request) => control.connect(request));
  answer([Task.Shutdown, TaskV3.Shutdown], (request) => service.shutdown(request));
  return serve(unixListener(listener), handlers, {
    onConnectionError: (error) => log.debug("connection of containerd ended", { reason: error.message }),
  });
}
