import { AgentService, Health, TtrpcRequest, TtrpcResponse } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createClient, HEADER_BYTES, memoryPair, serve } from "./index.ts";
import { bulkHandlers, connect, useNodeOps } from "./testing/fixture.ts";

beforeAll(useNodeOps);

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 0x7fff_ffff);

function frame(type: number, stream: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + data.length);
  new DataView(bytes.buffer).setUint32(0, data.length);
  new DataView(bytes.buffer).setUint32(4, stream);
  bytes[8] = type;
  bytes.set(data, HEADER_BYTES);
  return bytes;
}

const requests = [
  TtrpcRequest.encode({ service: "grpc.Health", method: "Check", payload: new Uint8Array([10, 1, 97]) }),
  TtrpcRequest.encode({
    service: "grpc.AgentService",
    method: "WriteStdin",
    payload: AgentService.WriteStdin.request.encode({ containerId: "c", data: new Uint8Array(20_000) }),
    timeoutNano: 1_000_000_000,
  }),
  TtrpcRequest.encode({
    service: "grpc.AgentService",
    method: "ReadStdout",
    payload: AgentService.ReadStdout.request.encode({ len: 9000 }),
  }),
].map((data, index) => frame(1, index * 2 + 1, data));

/** Valid frames with some bytes changed, some cut out, in parts of any size. */
const mutated = fc
  .tuple(
    fc.subarray(requests, { minLength: 1 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
    fc.option(fc.tuple(fc.nat(), fc.nat(30))),
  )
  .map(([frames, edits, cut]) => {
    const bytes = [...Buffer.concat(frames)];
    for (const [at, value] of edits) bytes[at % Math.min(bytes.length, 100)] = value;
    if (cut) bytes.splice(cut[0] % bytes.length, cut[1]);
    return Uint8Array.from(bytes);
  });
const input = fc.oneof(fc.uint8Array({ maxLength: 64 }), { arbitrary: mutated, weight: 3 });

describe(`garbage (FUZZ_SEED=${seed})`, () => {
  it("ends the server's connection in order, leaks no block and harms no other", async () => {
    const other = connect();
    await fc.assert(
      fc.asyncProperty(input, fc.integer({ min: 1, max: 5000 }), async (bytes, part) => {
        const [mine, theirs] = memoryPair();
        const server = serve(theirs, bulkHandlers(theirs.blocks), {
          onConnectionError: (error) => {
            expect(error).toBeInstanceOf(KataError);
            expect(["InvalidArgument", "Unavailable"]).toContain(error.code);
          },
        });
        const drained = drain(mine.read.bind(mine));
        try {
          for (let at = 0; at < bytes.length; at += part) await mine.write(bytes.subarray(at, at + part));
        } catch {
          // the server has closed
        }
        mine.closeWrite();
        await server.closed;
        await drained;
        expect(theirs.blocks.count).toBe(0);
      }),
      { numRuns: 8000, seed },
    );
    expect(await other.client.unary(Health.Check, {})).toEqual({ status: 1 });
  }, 120_000);

  it("of a server ends the client's connection in order, and its calls as Unavailable or answered", async () => {
    const reply = (data: Uint8Array) => TtrpcResponse.encode({ payload: data });
    const valid = Buffer.concat([
      frame(2, 1, reply(AgentService.ReadStdout.response.encode({ data: new Uint8Array(9000) }))),
      frame(2, 3, TtrpcResponse.encode({ status: { code: 5, message: "no" } })),
    ]);
    const changed = fc
      .array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 5 })
      .map((edits) =>
        edits.reduce((copy, [at, value]) => copy.fill(value, at, at + 1), Uint8Array.from(valid)),
      );
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed, fc.uint8Array({ maxLength: 64 })), async (bytes) => {
        const [mine, theirs] = memoryPair();
        const client = createClient(mine);
        const calls = Promise.allSettled([
          client.receive(AgentService.ReadStdout, { len: 9000 }, 1).then(({ data }) => data.free()),
          client.unary(Health.Check, {}),
        ]);
        await theirs.write(bytes).catch(() => {});
        theirs.closeWrite();
        for (const outcome of await calls) {
          if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(KataError);
        }
        await client.closed;
        expect(mine.blocks.count).toBe(0);
      }),
      { numRuns: 4000, seed },
    );
  }, 120_000);
});

async function drain(read: (max: number, fds: number[]) => Promise<Uint8Array>): Promise<void> {
  try {
    while ((await read(65_536, [])).length > 0);
  } catch {
    // closed
  }
}
