import { AgentService, Health, TtrpcRequest } from "@kata-containers/protocols";
import type { KataError } from "@kata-containers/sys";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { findBytes, HelloRepeats } from "./hello.ts";
import {
  acceptSession,
  createClient,
  type FrameTransport,
  Handlers,
  HEADER_BYTES,
  memoryPair,
  NONCE_BYTES,
  openSession,
  SESSION_MAGIC,
  serve,
} from "./index.ts";
import { echoHandlers, useNodeOps } from "./testing/fixture.ts";
import { SerialLine } from "./testing/serial-line.ts";

beforeAll(useNodeOps);

const hello = (nonce: number) => new Uint8Array([...SESSION_MAGIC, ...Array(NONCE_BYTES).fill(nonce)]);

function requestFrame(stream: number, service: string): Uint8Array {
  const request = Health.Version.request.encode({ service });
  const data = TtrpcRequest.encode({ service: "grpc.Health", method: "Version", payload: request });
  // And the end mark, 0.
  const frame = new Uint8Array(HEADER_BYTES + data.length + 1);
  new DataView(frame.buffer).setUint32(0, data.length);
  new DataView(frame.buffer).setUint32(4, stream);
  frame[8] = 1;
  frame.set(data, HEADER_BYTES);
  return frame;
}

async function version(line: FrameTransport, service: string, fillAfterMs = 5000): Promise<string> {
  const client = createClient(await openSession(line, { timeoutMs: 5000, fillAfterMs }));
  const { agentVersion } = await client.unary(Health.Version, { service });
  return agentVersion;
}

describe("a session on a serial line", () => {
  it("opens, and carries calls", async () => {
    const line = new SerialLine();
    serve(acceptSession(line), echoHandlers());
    expect(await version(line.connect(), "first")).toBe("first");
  });

  it("opens after what is no hello, and drops it", async () => {
    const line = new SerialLine();
    serve(acceptSession(line), echoHandlers());
    const host = line.connect();
    await host.write(
      new Uint8Array([1, 2, 3, ...SESSION_MAGIC.subarray(0, 9), ...SESSION_MAGIC.subarray(0, 3)]),
      [],
    );
    expect(await version(host, "x")).toBe("x");
  });

  it("drops what an earlier session left, up to its own answer", async () => {
    const [host, guest] = memoryPair();
    const opening = openSession(host, { timeoutMs: 5000, nonce: new Uint8Array(NONCE_BYTES).fill(7) });
    await guest.write(new Uint8Array([9, 9, ...hello(6), 1, 2, ...hello(7).subarray(0, 20)]));
    await guest.write(new Uint8Array([...hello(7), 42]));
    const session = await opening;
    expect(await session.read(10, [])).toEqual(new Uint8Array([42]));
  });

  it("survives 1,000 hosts, each of which is cut off in the middle of a frame", async () => {
    const line = new SerialLine();
    const errors: KataError[] = [];
    serve(acceptSession(line), echoHandlers(), { onConnectionError: (error) => errors.push(error) });
    for (let round = 0; round < 1000; round += 1) {
      const host = line.connect();
      const service = `round ${round} ${"x".repeat((round * 97) % 9000)}`;
      expect(await version(host, service)).toBe(service);
      const frame = requestFrame(9999, service);
      const cut = 1 + ((round * 31) % (frame.length - 1));
      await host.write(frame.subarray(0, cut), []);
      await line.disconnect();
    }
    expect(await version(line.connect(), "last")).toBe("last");
    expect(errors).toHaveLength(1000);
    expect(errors.every((error) => error.message === "connection ended within a frame")).toBe(true);
  });

  it("begins anew when a hello comes at a frame boundary of the same line", async () => {
    const line = new SerialLine();
    serve(acceptSession(line), echoHandlers());
    const host = line.connect();
    expect(await version(host, "one")).toBe("one");
    // The line stays: a second client speaks on it.
    await host.write(requestFrame(3, "stale"), []);
    await host.write(hello(1), []);
    await host.write(requestFrame(1, "fresh"), []);
    const seen = await readUntil(host, "fresh");
    const answer = findBytes(seen, hello(1));
    expect(answer).toBeLessThan(seen.length);
    expect(seen[answer + 32 + HEADER_BYTES - 2]).toBe(2);
  });

  it("begins anew after a malformed frame, at the next hello", async () => {
    const line = new SerialLine();
    const errors: KataError[] = [];
    serve(acceptSession(line), echoHandlers(), { onConnectionError: (error) => errors.push(error) });
    const host = line.connect();
    expect(await version(host, "one")).toBe("one");
    await host.write(new Uint8Array(200).fill(0xee), []);
    await host.write(hello(2), []);
    await host.write(requestFrame(1, "again"), []);
    expect(findBytes(await readUntil(host, "again"), hello(2))).toBe(0);
    expect(errors).toMatchObject([{ code: "InvalidArgument" }]);
  });

  it("begins anew wherever in a frame the host before was cut off unseen, and drops that frame", async () => {
    const frame = requestFrame(1, `stdin ${"x".repeat(50)}`);
    for (let cut = 1; cut < frame.length; cut += 1) {
      const line = new SerialLine();
      const seen: string[] = [];
      const handlers = new Handlers().unary(Health.Version, ({ service }) => {
        seen.push(service);
        return { agentVersion: service };
      });
      serve(acceptSession(line), handlers);
      const host = line.connect();
      await openSession(host, { timeoutMs: 5000 });
      await host.write(frame.subarray(0, cut), []);
      expect(await version(host, `after ${cut}`, 0)).toBe(`after ${cut}`);
      expect(seen).toEqual([`after ${cut}`]);
    }
  });

  it("begins anew in the middle of the largest frame, and writes none of its bytes to anybody", async () => {
    const line = new SerialLine();
    const written: number[] = [];
    const handlers = echoHandlers();
    handlers.bulkRequest({ ...AgentService.WriteStdin, method: "Count" }, 3, async (_, data) => {
      written.push(data.length);
      data.free();
      return { len: data.length };
    });
    serve(acceptSession(line), handlers);
    const host = line.connect();
    await openSession(host, { timeoutMs: 5000 });
    const data = TtrpcRequest.encode({
      service: AgentService.WriteStdin.service,
      method: "Count",
      payload: AgentService.WriteStdin.request.encode({ data: new Uint8Array(4_000_000).fill(0xff) }),
    });
    const head = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
    new DataView(head.buffer).setUint32(0, data.length);
    await host.write(head, []);
    await host.write(data.subarray(0, 10_000), []);
    expect(await version(host, "again", 0)).toBe("again");
    expect(written).toEqual([]);
    expect(line.blocks.count).toBe(0);
  });

  it("takes a frame that is full of hellos for what it is", async () => {
    const line = new SerialLine();
    serve(acceptSession(line), echoHandlers());
    const text = "\u00ffKATA-SESSION\r\n".repeat(300);
    expect(await version(line.connect(), text)).toBe(text);
  });

  it("opens when the guest comes after the hello has been repeated", async () => {
    const line = new SerialLine();
    const opening = openSession(line.connect(), { timeoutMs: 5000, fillAfterMs: 0 });
    await new Promise((resolve) => setTimeout(resolve, 0));
    serve(acceptSession(line), echoHandlers());
    const client = createClient(await opening);
    expect((await client.unary(Health.Version, { service: "late" })).agentVersion).toBe("late");
  });

  it("does not repeat the hello to a guest that had no host before, however late it comes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const line = new SerialLine();
      const host = line.connect();
      const write = vi.spyOn(host, "write");
      const opening = openSession(host, { timeoutMs: 60_000, fillAfterMs: Number.POSITIVE_INFINITY });
      await vi.advanceTimersByTimeAsync(59_000);
      expect(write).toHaveBeenCalledOnce();
      serve(acceptSession(line), echoHandlers());
      const client = createClient(await opening);
      expect((await client.unary(Health.Version, { service: "late" })).agentVersion).toBe("late");
    } finally {
      vi.useRealTimers();
    }
  });

  it("sends nothing of an earlier session's calls into the next", async () => {
    const line = new SerialLine();
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handlers = echoHandlers();
    handlers.unary({ ...Health.Check, method: "Held" }, async () => {
      await held;
      return { status: 2 };
    });
    serve(acceptSession(line), handlers);
    const first = line.connect();
    const client = createClient(await openSession(first, { timeoutMs: 5000 }));
    const call = client.unary({ ...Health.Check, method: "Held" }, {});
    await client.unary(Health.Check, {}); // the held call has arrived
    await line.disconnect();
    await expect(call).rejects.toMatchObject({ code: "Unavailable" });
    const second = createClient(await openSession(line.connect(), { timeoutMs: 5000 }));
    release();
    expect((await second.unary(Health.Version, { service: "x" })).agentVersion).toBe("x");
    // An answer to the first session's stream 1 would have ended the second: its stream 1 is done.
    expect((await second.unary(Health.Version, { service: "y" })).agentVersion).toBe("y");
  });

  it("that nobody answers ends at its time-out, and closes the line", async () => {
    const [host, guest] = memoryPair();
    await expect(openSession(host, { timeoutMs: 10 })).rejects.toMatchObject({ code: "DeadlineExceeded" });
    expect(await guest.read(100, [])).toHaveLength(32);
    expect(await guest.read(100, [])).toHaveLength(0);
  });

  it("on a line that ends is Unavailable", async () => {
    const [host, guest] = memoryPair();
    const opening = openSession(host, { timeoutMs: 5000 });
    guest.close();
    await expect(opening).rejects.toMatchObject({ code: "Unavailable" });
  });
});

it("a hello cannot be taken for a frame", () => {
  expect(new DataView(SESSION_MAGIC.buffer).getUint32(0)).toBeGreaterThan(4 * 1024 * 1024);
});

describe("repeats of a hello", () => {
  it("are taken out however they are cut, and nothing else is", () => {
    const stream = new Uint8Array([...hello(3), ...hello(3), ...hello(3).subarray(0, 20), 1, ...hello(3)]);
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const repeats = new HelloRepeats(hello(3));
      const left = [...repeats.skip(stream.subarray(0, cut)), ...repeats.skip(stream.subarray(cut))];
      expect(left).toEqual([...stream.subarray(64)]);
    }
  });

  it("end at another host's hello", () => {
    const repeats = new HelloRepeats(hello(3));
    expect([...repeats.skip(new Uint8Array([...hello(3), ...hello(4)]))]).toEqual([...hello(4)]);
  });
});

async function readUntil(line: FrameTransport, text: string): Promise<Uint8Array> {
  let seen: Uint8Array = new Uint8Array(0);
  while (!new TextDecoder().decode(seen).includes(text)) {
    const bytes = await line.read(10_000, []);
    if (bytes.length === 0) throw new Error("the line ended");
    seen = new Uint8Array([...seen, ...bytes]);
  }
  return seen;
}
