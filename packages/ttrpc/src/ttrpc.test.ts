import { AgentService, Health, TtrpcRequest } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Bulk, type Context, Handlers, HEADER_BYTES, MAX_DATA_BYTES, memoryPair, serve } from "./index.ts";
import { bulkHandlers, connect, echoHandlers, pattern, useNodeOps } from "./testing/fixture.ts";

beforeAll(useNodeOps);
afterEach(() => {
  vi.useRealTimers();
});

/** A frame as any ttRPC client would send it. */
function frame(type: number, stream: number, data: Uint8Array, flags = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  view.setUint32(4, stream);
  bytes[8] = type;
  bytes[9] = flags;
  bytes.set(data, HEADER_BYTES);
  return bytes;
}

/** Byte by byte; vitest's own comparison takes seconds for megabytes. */
function same(got: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return Buffer.compare(got ?? new Uint8Array(0), wanted) === 0;
}

/** A promise, and what fulfils it. */
function gate<T>() {
  let open: (value: T) => void = () => {};
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe("a call", () => {
  it("gets its answer", async () => {
    const { client } = connect();
    expect(await client.unary(Health.Check, { service: "x" })).toEqual({ status: 1 });
    expect((await client.unary(Health.Version, { service: "é" })).agentVersion).toBe("é");
  });

  it("of many at once gets its own answer", async () => {
    const { client } = connect();
    const names = Array.from({ length: 500 }, (_, index) => `name ${index}`);
    const answers = await Promise.all(names.map((service) => client.unary(Health.Version, { service })));
    expect(answers.map((one) => one.agentVersion)).toEqual(names);
  });

  it("gets the code and text that the handler threw", async () => {
    const handlers = new Handlers()
      .unary(Health.Check, () => {
        throw new KataError("NotFound", "no container abc");
      })
      .unary(Health.Version, () => Promise.reject("a string"));
    const { client } = connect(handlers);
    await expect(client.unary(Health.Check, {})).rejects.toMatchObject({
      name: "KataError",
      code: "NotFound",
      message: "no container abc",
    });
    await expect(client.unary(Health.Version, {})).rejects.toMatchObject({
      code: "Internal",
      message: "a string",
    });
    await expect(client.unary(AgentService.GetMetrics, {})).rejects.toMatchObject({
      code: "Unimplemented",
      message: "grpc.AgentService/GetMetrics: no such method",
    });
  });

  it("whose request is no encoding of its type gets InvalidArgument", async () => {
    const { client } = connect();
    const call = client.call("grpc.Health", "Check", new Uint8Array([10, 9, 1]));
    await expect(call).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
  });

  it("whose answer does not fit a frame gets ResourceExhausted, as one whose request does not", async () => {
    const handlers = new Handlers().unary(Health.Version, () => ({
      agentVersion: "x".repeat(MAX_DATA_BYTES),
    }));
    const { client } = connect(handlers);
    await expect(client.unary(Health.Version, {})).rejects.toMatchObject({ code: "ResourceExhausted" });
    const large = client.unary(Health.Version, { service: "x".repeat(MAX_DATA_BYTES) });
    await expect(large).rejects.toMatchObject({ code: "ResourceExhausted" });
    await expect(client.unary(Health.Version, {})).rejects.toMatchObject({ code: "ResourceExhausted" });
  });

  it("carries messages of every size up to the limit", async () => {
    const { client } = connect();
    for (const size of [0, 100, 4083, 4084, 4096, 5000, 65_536, 300_000, MAX_DATA_BYTES - 100]) {
      const service = "x".repeat(size);
      expect((await client.unary(Health.Version, { service })).agentVersion).toBe(service);
    }
  });

  it("ends at its time-out, and the late answer is dropped", async () => {
    vi.useFakeTimers();
    const late = gate<{ status: number }>();
    const { client } = connect(echoHandlers2(() => late.passed));
    const call = client.unary(Health.Check, {}, { timeoutMs: 500 });
    const outcome = expect(call).rejects.toMatchObject({ code: "DeadlineExceeded" });
    await vi.advanceTimersByTimeAsync(501);
    await outcome;
    late.open({ status: 2 });
    expect((await client.unary(Health.Version, { service: "next" })).agentVersion).toBe("next");
  });

  it("tells the handler of the time-out, which aborts its signal", async () => {
    vi.useFakeTimers();
    const seen = gate<Context>();
    const { client } = connect(
      echoHandlers2((context) => {
        seen.open(context);
        return new Promise(() => {});
      }),
    );
    const call = client.unary(Health.Check, {}, { timeoutMs: 1500 });
    const outcome = expect(call).rejects.toMatchObject({ code: "DeadlineExceeded" });
    const context = await seen.passed;
    expect(context.timeoutMs).toBe(1500);
    expect(context.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1501);
    await outcome;
    expect(context.signal.aborted).toBe(true);
  });

  it("can be cancelled, before and while it runs", async () => {
    const { client } = connect(echoHandlers2(() => new Promise(() => {})));
    const controller = new AbortController();
    const call = client.unary(Health.Check, {}, { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "Canceled" });
    const second = client.unary(Health.Check, {}, { signal: controller.signal });
    await expect(second).rejects.toMatchObject({ code: "Canceled" });
    expect((await client.unary(Health.Version, { service: "next" })).agentVersion).toBe("next");
  });

  it("fails as Unavailable when the connection ends, and so does every later one", async () => {
    const { client, ends } = connect(echoHandlers2(() => new Promise(() => {})));
    const call = client.unary(Health.Check, {});
    ends[1].close();
    await expect(call).rejects.toMatchObject({ code: "Unavailable" });
    await expect(client.unary(Health.Check, {})).rejects.toMatchObject({ code: "Unavailable" });
  });

  it("passes descriptors, each to its own call", async () => {
    const got: (readonly number[])[] = [];
    const { client, ends } = connect(
      echoHandlers2(({ fds }) => {
        got.push(fds);
        return { status: 1 };
      }),
    );
    await Promise.all([
      client.unary(Health.Check, {}),
      client.unary(Health.Check, {}, { fds: [7, 8] }),
      client.unary(Health.Check, { service: "x".repeat(10_000) }, { fds: [9] }),
      client.unary(Health.Check, {}),
      client.unary(Health.Check, {}, { fds: [10] }),
    ]);
    expect(got).toEqual([[], [7, 8], [9], [], [10]]);
    expect(ends[1].closedFds).toEqual([]);
  });

  it("that is refused, or whose handler does not take them, has its descriptors closed", async () => {
    const { client, ends } = connect();
    await client.unary(Health.Check, {}, { fds: [7] });
    await client.unary(AgentService.GetMetrics, {}, { fds: [8, 9] }).catch(() => {});
    expect(ends[1].closedFds).toEqual([7, 8, 9]);
  });
});

function echoHandlers2(
  check: (context: Context) => { status: number } | Promise<{ status: number }>,
): Handlers {
  return new Handlers()
    .unary(Health.Check, (_, context) => check(context))
    .unary(Health.Version, ({ service }) => ({ agentVersion: service }));
}

describe("bulk data", () => {
  it("of an answer goes from block to block", async () => {
    const { client, ends } = connectBulk();
    for (const len of [0, 1, 100, 4000, 4096, 10_000, 262_144, MAX_DATA_BYTES - 20]) {
      const { data } = await client.receive(AgentService.ReadStdout, { len }, 1);
      expect(data.length).toBe(len);
      ends[0].blocks.written.clear();
      await data.writeTo(60);
      expect(same(ends[0].blocks.written.get(60), pattern(len))).toBe(true);
    }
    expect([ends[0].blocks.count, ends[1].blocks.count]).toEqual([0, 0]);
  });

  it("of a request goes from block to block, its other fields to the handler", async () => {
    const { client, ends } = connectBulk();
    for (const length of [1, 100, 5000, 262_144]) {
      const data = new Bulk(3, ends[0].blocks.make(pattern(length)), length);
      const request = { containerId: "c", execId: "e" };
      const answer = await client.send(AgentService.WriteStdin, request, data, { timeoutMs: 60_000 });
      expect(answer.len).toBe(length);
      expect(same(ends[1].blocks.written.get(70), pattern(length))).toBe(true);
      ends[1].blocks.written.clear();
    }
    expect([ends[0].blocks.count, ends[1].blocks.count]).toEqual([0, 0]);
  });

  it("is freed when the handler refuses it, the message is too large, or the call was given up", async () => {
    const { client, ends } = connectBulk();
    const make = (length: number) => new Bulk(3, ends[0].blocks.make(pattern(length)), length);
    const refused = client.send(AgentService.WriteStdin, { containerId: "refuse" }, make(50_000));
    await expect(refused).rejects.toMatchObject({ code: "Internal" });
    const large = client.send(AgentService.WriteStdin, {}, make(MAX_DATA_BYTES));
    await expect(large).rejects.toMatchObject({ code: "ResourceExhausted" });
    const tooLarge = client.receive(AgentService.ReadStdout, { len: MAX_DATA_BYTES }, 1);
    await expect(tooLarge).rejects.toMatchObject({ code: "ResourceExhausted" });
    const controller = new AbortController();
    const given = client.receive(AgentService.ReadStdout, { len: 100_000 }, 1, { signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "Canceled" });
    await client.unary(Health.Check, {});
    expect([ends[0].blocks.count, ends[1].blocks.count]).toEqual([0, 0]);
  });

  it("of a method that is called as any other arrives whole", async () => {
    const { client, ends } = connectBulk();
    const { data } = await client.unary(AgentService.ReadStdout, { len: 100_000 });
    expect(same(data, pattern(100_000))).toBe(true);
    const answer = await client.unary(AgentService.WriteStdin, { containerId: "c", data: pattern(9000) });
    expect(answer.len).toBe(9000);
    expect(same(ends[1].blocks.written.get(70), pattern(9000))).toBe(true);
  });

  it("that nobody writes to its sink holds up no other call", async () => {
    const { client, ends } = connectBulk();
    const { data } = await client.receive(AgentService.ReadStdout, { len: 1_000_000 }, 1);
    expect((await client.unary(Health.Version, { service: "alive" })).agentVersion).toBe("alive");
    data.free();
    expect(ends[0].blocks.count).toBe(0);
  });

  function connectBulk() {
    const ends: ReturnType<typeof connect>["ends"][] = [];
    const handlers = bulkHandlers({ make: (bytes) => ends[0]?.[1].blocks.make(bytes) ?? 0 });
    const fixture = connect(handlers);
    ends.push(fixture.ends);
    return fixture;
  }
});

describe("a server", () => {
  it("ends the connection at a malformed frame, and only that one", async () => {
    const other = connect();
    const check = TtrpcRequest.encode({ service: "grpc.Health", method: "Check" });
    const bad = [
      new Uint8Array(HEADER_BYTES).fill(0xff),
      frame(2, 1, check), // a response
      frame(1, 2, check), // a stream that is not the client's
      frame(9, 1, check),
      frame(1, 1, new Uint8Array(0)).fill(0x7f, 0, 1),
    ];
    for (const bytes of bad) {
      const [mine, theirs] = memoryPair();
      const errors: KataError[] = [];
      const server = serve(theirs, echoHandlers(), { onConnectionError: (error) => errors.push(error) });
      await mine.write(bytes);
      await server.closed;
      expect(errors).toMatchObject([{ code: "InvalidArgument" }]);
      expect(await mine.read(100, [])).toHaveLength(0);
    }
    expect(await other.client.unary(Health.Check, {})).toEqual({ status: 1 });
  });

  it("refuses streams, drops what they send, and goes on", async () => {
    const [mine, theirs] = memoryPair();
    serve(theirs, echoHandlers());
    const check = TtrpcRequest.encode({ service: "grpc.Health", method: "Check" });
    await mine.write(frame(1, 1, check, 2));
    await mine.write(frame(3, 1, new Uint8Array(8000)));
    await mine.write(frame(1, 3, check));
    const answers = [await mine.read(1000, []), await mine.read(1000, [])];
    const text = new TextDecoder().decode(new Uint8Array(answers.flatMap((one) => [...one])));
    expect(text).toContain("streaming is not offered");
  });

  it("refuses a request that names another method behind its data, and keeps none of that", async () => {
    const [mine, theirs] = memoryPair();
    serve(theirs, bulkHandlers(theirs.blocks));
    const data = AgentService.WriteStdin.request.encode({ containerId: "c", data: pattern(20_000) });
    const write = TtrpcRequest.encode({ service: "grpc.AgentService", method: "WriteStdin", payload: data });
    const another = TtrpcRequest.encode({ service: "grpc.AgentService", method: "ReadStdout" });
    await mine.write(frame(1, 1, new Uint8Array([...write, ...another])));
    expect(new TextDecoder().decode(await mine.read(1000, []))).toContain("names two methods");
    expect(theirs.blocks.count).toBe(0);
  });

  it("answers a body that is no request with a status, and goes on", async () => {
    const { client, ends } = connect();
    await ends[0].write(frame(1, 101, new Uint8Array([0xff])));
    // The client does not know stream 101: that end closes; the server must not have.
    await expect(client.closed).resolves.toMatchObject({ code: "InvalidArgument" });
  });

  /** A method whose calls last until the gate opens. */
  function lasting() {
    const open = gate<void>();
    const calls = { running: 0, most: 0 };
    const handlers = new Handlers().unary(Health.Check, async () => {
      calls.most = Math.max(calls.most, ++calls.running);
      await open.passed;
      calls.running -= 1;
      return { status: 1 };
    });
    return { open, calls, handlers };
  }
  const outcomes = async (calls: readonly Promise<unknown>[]) => {
    const settled = await Promise.allSettled(calls);
    const refused = settled.filter((one) => one.status === "rejected").map((one) => one.reason.code);
    return { done: settled.length - refused.length, refused: new Set(refused) };
  };

  it("refuses calls beyond its bounds while handlers run, and takes others afterwards", async () => {
    const { open, calls, handlers } = lasting();
    const { client } = connect(handlers, { maxInFlight: 10 });
    const asked = Array.from({ length: 200 }, () => client.unary(Health.Check, {}));
    const settled = outcomes(asked);
    await expect(asked[199]).rejects.toMatchObject({ code: "ResourceExhausted" });
    open.open();
    expect(await settled).toEqual({ done: 10, refused: new Set(["ResourceExhausted"]) });
    expect(calls.most).toBe(10);
    expect(await client.unary(Health.Check, {})).toEqual({ status: 1 });
  });

  it("bounds the bytes of requests in flight, too", async () => {
    const { open, calls, handlers } = lasting();
    const { client } = connect(handlers, { maxInFlightBytes: 100_000 });
    const asked = Array.from({ length: 20 }, () =>
      client.unary(Health.Check, { service: "x".repeat(20_000) }),
    );
    const settled = outcomes(asked);
    await expect(asked[19]).rejects.toMatchObject({ code: "ResourceExhausted" });
    open.open();
    expect(await settled).toEqual({ done: 5, refused: new Set(["ResourceExhausted"]) });
    expect(calls.most).toBe(5);
  });

  it("sees its peer's end also when all the calls that it takes are under way", async () => {
    const ended = gate<void>();
    const handlers = new Handlers().unary(Health.Check, (_request, { signal }) => {
      signal.addEventListener("abort", () => ended.open());
      return new Promise(() => {});
    });
    const { client } = connect(handlers, { maxInFlight: 1 });
    const settled = outcomes([client.unary(Health.Check, {}), client.unary(Health.Check, {})]);
    client.close();
    await ended.passed;
    expect((await settled).done).toBe(0);
  });

  it("aborts the signals of its handlers when the connection ends", async () => {
    const seen = gate<Context>();
    const { ends, client } = connect(
      echoHandlers2((context) => {
        seen.open(context);
        return new Promise(() => {});
      }),
    );
    const call = client.unary(Health.Check, {});
    const { signal } = await seen.passed;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", resolve));
    ends[0].close();
    await aborted;
    expect(signal.reason).toMatchObject({ code: "Unavailable" });
    await expect(call).rejects.toMatchObject({ code: "Unavailable" });
  });
});
