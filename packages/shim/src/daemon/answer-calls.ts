import type { Init, Method } from "@kata-containers/protocols";
import { Fd, KataError, type Logger, ops, type RpcDurations } from "@kata-containers/sys";
import type { Context, Handlers } from "@kata-containers/ttrpc";
import type { Lifetime } from "./lifetime.ts";
import { actionOf } from "./rpc-action.ts";
import type { CallContext } from "./service.ts";

/** Has a method answered. */
export type Answer = <Req extends object, Res extends object>(
  method: Method<Req, Res>,
  handle: (request: Req, context: CallContext) => Promise<Init<Res>>,
) => void;

/** Adds methods to `handlers`: every call of theirs counts for the daemon's lifetime and in the histogram, and is in the log. */
export function answerCalls(
  handlers: Handlers,
  lifetime: Lifetime,
  shimRpcs: RpcDurations,
  log: Logger,
): Answer {
  return (method, handle) => {
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
}

function cancelled(context: Context): Promise<void> {
  const { signal } = context;
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
