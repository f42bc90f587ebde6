import { AgentService, type Init, type Method } from "@kata-containers/protocols";
import { KataError, ops, type RpcDurations } from "@kata-containers/sys";
import { bulk, createClient, type FrameTransport, NO_ANSWER } from "@kata-containers/ttrpc";
import type { Agent } from "./agent.ts";

/** Field numbers of agent.proto: WriteStreamRequest.data, ReadStreamResponse.data. */
const WRITE_DATA = 3;
const READ_DATA = 1;

/**
 * The agent behind a connected channel, which the result owns.
 * @param timeoutMs of a request that names none: `request_timeout`
 * @param durations counts requests by the names of their messages ("grpc.CheckRequest"), as upstream does; reads of output, which wait
 *   for it, it does not
 */
export function createAgent(channel: FrameTransport, timeoutMs: number, durations: RpcDurations): Agent {
  const client = createClient(channel);
  const request = async <Req extends object, Res extends object>(
    method: Method<Req, Res>,
    message: Init<Req>,
    limit: number = timeoutMs,
  ): Promise<Res> => {
    const begunMs = ops.monotonicMs();
    try {
      return await client.unary(method, message, Number.isFinite(limit) ? { timeoutMs: limit } : {});
    } catch (error) {
      throw named(method, error, limit, limit === timeoutMs);
    } finally {
      durations.since(method.request.typeName, begunMs);
    }
  };
  return {
    request,
    async readInto(stream, process, max, sink) {
      const method = stream === "stdout" ? AgentService.ReadStdout : AgentService.ReadStderr;
      try {
        const { data } = await client.receive(method, { ...process, len: max }, READ_DATA);
        const { length } = data;
        if (length > max) {
          data.free();
          throw new KataError("Internal", `the agent sent ${length} bytes for at most ${max}`);
        }
        return { length, written: data.writeTo(sink) };
      } catch (error) {
        // How upstream's agent says that a stream is over.
        if (KataError.from(error).message.includes("EOF")) return { length: 0, written: Promise.resolve() };
        throw error;
      }
    },
    async writeStdin(process, block) {
      const { containerId, execId } = process;
      const { WriteStdin } = AgentService;
      const sent = bulk(WRITE_DATA, block);
      await durations.measure(WriteStdin.request.typeName, () =>
        client.send(WriteStdin, { containerId, execId }, sent),
      );
    },
    close: () => client.close(),
  };
}

/**
 * What the agent refused, or was too late with by its own clock, is told in its own words; what went wrong on the way names the request.
 * @param configured whether the limit is `request_timeout`
 */
function named(
  method: { readonly method: string },
  error: unknown,
  limit: number,
  configured: boolean,
): KataError {
  const kata = KataError.from(error);
  if (kata.message === NO_ANSWER) {
    const why = `the agent did not answer ${method.method} within ${limit / 1000} s`;
    const setting = configured ? " (agent.kata.request_timeout)" : "";
    return new KataError("DeadlineExceeded", why + setting, { cause: error });
  }
  if (kata.code !== "Unavailable") return kata;
  return new KataError("Unavailable", `${method.method}: the agent is gone (${kata.message})`, {
    cause: error,
  });
}
