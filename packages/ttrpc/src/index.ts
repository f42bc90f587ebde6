// ttRPC (github.com/containerd/ttrpc, unary calls) over any byte stream, and the agent channel's session layer.

export { Bulk, BulkData, bulk } from "./bulk.ts";
export { type BulkReply, type CallOptions, type Client, createClient, NO_ANSWER } from "./client.ts";
export { ConnectionEnd } from "./connection-end.ts";
export type { Context } from "./context.ts";
export {
  connectUnix,
  fdTransport,
  serialPort,
  unixListener,
  unixTransport,
  vsockListener,
} from "./fd-transport.ts";
export { firstCall } from "./first-call.ts";
export { FRAME, HEADER_BYTES, MAX_DATA_BYTES } from "./frame.ts";
export { acceptSession } from "./guest-session.ts";
export { type BulkHandler, Handlers, type UnaryHandler } from "./handlers.ts";
export { NONCE_BYTES, SESSION_MAGIC } from "./hello.ts";
export { openSession, type SessionOptions } from "./host-session.ts";
export { MemoryBlocks, MemoryTransport, memoryPair } from "./memory-transport.ts";
export { type Server, serve } from "./serve.ts";
export { DEFAULT_MAX_IN_FLIGHT, DEFAULT_MAX_IN_FLIGHT_BYTES, type ServerOptions } from "./server.ts";
export type { BlockStore, FrameTransport, Listener, Peer, SerialPort } from "./transport.ts";
