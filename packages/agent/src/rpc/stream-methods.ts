import {
  type CloseStdinRequest,
  type ReadStreamRequest,
  ReadStreamResponse,
  type TtyWinResizeRequest,
  type WriteStreamRequest,
} from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { type BulkData, bulk, type Context } from "@kata-containers/ttrpc";
import type { Forwarder } from "../network/forwarder.ts";
import type { GuestProcess } from "../process/guest-process.ts";
import { endOfFile } from "../process/output.ts";
import type { Streams } from "../process/stdio.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** What one answer carries at most: well below ttRPC's 4 MiB a message. The host asks for less, while others of its streams have much. */
const MAX_READ = 3 << 19;
/** ReadStreamResponse.data */
const DATA_FIELD = 1;
/** WriteStreamRequest.data */
export const WRITE_STDIN_DATA = 3;
const MAX_SIDE = 0xffff;

/** In place of a container's id: of the forwarder's connections. */
const NO_CONTAINER = "";

type Place = { readonly containerId: string; readonly execId: string };

/** The RPCs that carry a process's standard streams, or a connection. */
export const streamMethods = (sandbox: Sandbox, forwarder: Pick<Forwarder, "streams">) => {
  const processOf = ({ containerId, execId }: Place): GuestProcess =>
    sandbox.container(containerId).process(execId);
  const streamsOf = (place: Place): Streams =>
    place.containerId === NO_CONTAINER ? forwarder.streams(place.execId) : processOf(place).streams;

  const read = async (request: ReadStreamRequest, stream: "stdout" | "stderr", context: Context) => {
    const { containerId, execId } = request;
    const container = containerId === NO_CONTAINER ? undefined : sandbox.container(containerId);
    const output = streamsOf(request)[stream];
    if (request.len < 1) throw new KataError("InvalidArgument", "len: 0 bytes asked for");
    // A terminal has no standard error.
    if (output === undefined) throw endOfFile();
    try {
      const chunk = await output.read(Math.min(request.len, MAX_READ), context.signal);
      return "block" in chunk
        ? bulk(DATA_FIELD, chunk.block)
        : ReadStreamResponse.create({ data: chunk.bytes });
    } finally {
      if (output.ended) container?.forgetSpent(execId);
    }
  };

  return {
    ReadStdout: (request: ReadStreamRequest, context: Context) => read(request, "stdout", context),
    ReadStderr: (request: ReadStreamRequest, context: Context) => read(request, "stderr", context),

    WriteStdin: async (request: WriteStreamRequest, data: BulkData) => ({
      len: await streamsOf(request).input.write(data.length, (fd) => data.writeTo(fd)),
    }),

    CloseStdin: async (request: CloseStdinRequest) => {
      await streamsOf(request).input.close();
      return {};
    },

    TtyWinResize: async (request: TtyWinResizeRequest) => {
      const { row, column: col } = request;
      if (row > MAX_SIDE || col > MAX_SIDE)
        throw new KataError("InvalidArgument", `size ${row}x${col}: at most ${MAX_SIDE}`);
      processOf(request).resize({ row, col });
      return {};
    },
  };
};
