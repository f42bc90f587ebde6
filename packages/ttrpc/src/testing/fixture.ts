// What the tests of this package share: an echo service over memory, with the few ops that need an engine.
import { AgentService, Health } from "@kata-containers/protocols";
import { type Ops, setOps } from "@kata-containers/sys";
import {
  bulk,
  type Client,
  createClient,
  Handlers,
  memoryPair,
  type Server,
  type ServerOptions,
  serve,
} from "../index.ts";

/** Gives Node the ops that this package needs. */
export function useNodeOps(): void {
  const some: Partial<Ops> = {
    monotonicMs: () => performance.now(),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
  };
  setOps(some as Ops);
}

/** Health.Check answers SERVING (1), and fails for the services named "throw"; Version answers its service's name. */
export function echoHandlers(): Handlers {
  return new Handlers()
    .unary(Health.Check, ({ service }) => {
      if (service === "throw") throw new Error("handler broke");
      return { status: 1 };
    })
    .unary(Health.Version, async ({ service }) => ({ agentVersion: service }));
}

export interface Fixture {
  readonly client: Client;
  readonly server: Server;
  readonly ends: ReturnType<typeof memoryPair>;
}

export function connect(handlers: Handlers = echoHandlers(), options: ServerOptions = {}): Fixture {
  const ends = memoryPair();
  return { client: createClient(ends[0]), server: serve(ends[1], handlers, options), ends };
}

/** Bytes that show where they are. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
}

/** ReadStdout answers so many bytes of the pattern from a block; WriteStdin writes its data to descriptor 70. */
export function bulkHandlers(blocks: { make(bytes: Uint8Array): number }): Handlers {
  return echoHandlers()
    .unary(AgentService.ReadStdout, ({ len }) => bulk(1, { block: blocks.make(pattern(len)), len }))
    .bulkRequest(AgentService.WriteStdin, 3, async (request, data) => {
      if (request.containerId === "refuse") throw new Error("no stdin");
      await data.writeTo(70);
      return { len: data.length };
    });
}
