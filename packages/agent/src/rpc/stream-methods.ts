import {
  type CloseStdinRequest,
  ReadStreamResponse,
  type ReadStreamRequest,
  type TtyWinResizeRequest,
  type WriteStreamRequest,
} from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { bulk } from "@kata-containers/ttrpc";
import { type Output, endOfFile } from "../process/output.ts";
import type { GuestProcess } from "../process/guest-process.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** What one answer carries at most: well below ttRPC's 4 MiB a message. */
const MAX_READ = 1 << 20;
/** ReadStreamResponse.data */
const DATA_FIELD = 1;
const MAX_SIDE = 0xffff;

/** The RPCs that carry a process's standard streams. */
export const streamMethods = (sandbox: Sandbox) => {
  const processOf = ({ containerId, execId }: { containerId: string; execId: string }): GuestProcess =>
    sandbox.container(containerId).process(execId);

  const read = async (request: ReadStreamRequest, output: Output | undefined) => {
    if (output === undefined) throw endOfFile();
    if (request.len < 1) throw new KataError("InvalidArgument", "len: 0 bytes asked for");
    try {
      const chunk = await output.read(Math.min(request.len, MAX_READ));
      return "block" in chunk ? bulk(DATA_FIELD, chunk.block) : ReadStreamResponse.create({ data: chunk.bytes });
    } finally {
      if (output.ended) sandbox.container(request.containerId).forgetSpent(request.execId);
    }
  };

  return {
    ReadStdout: (request: ReadStreamRequest) => read(request, processOf(request).streams.stdout),
    ReadStderr: (request: ReadStreamRequest) => read(request, processOf(request).streams.stderr),

    WriteStdin: async (request: WriteStreamRequest) => ({
      len: await processOf(request).streams.input.write(request.data),
    }),

    CloseStdin: async (request: CloseStdinRequest) => {
      await processOf(request).streams.input.close();
      return {};
    },

    TtyWinResize: async (request: TtyWinResizeRequest) => {
      const { row, column: col } = request;
      if (row > MAX_SIDE || col > MAX_SIDE) throw new KataError("InvalidArgument", `size ${row}x${col}: at most ${MAX_SIDE}`);
      processOf(request).resize({ row, col });
      return {};
    },
  };
};
