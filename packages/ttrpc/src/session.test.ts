import { Health, TtrpcRequest } from "@kata-containers/protocols";
import type { KataError } from "@kata-containers/sys";
import { beforeAll, describe, expect, it } from "vitest";
import {
  acceptSession,
  createClient,
  type FrameTransport,
  HEADER_BYTES,
  memoryPair,
  NONCE_BYTES,
  openSession,
  SESSION_MAGIC,
  serve,
} from "./index.ts";
import { findBytes } from "./session.ts";
import { echoHandlers, useNodeOps } from "./testing/fixture.ts";
import { SerialLine } from "./testing/serial-line.ts";

beforeAll(useNodeOps);

const hello = (nonce: number) => new Uint8Array([...SESSION_MAGIC, ...Array(NONCE_BYTES).fill(nonce)]);

function requestFrame(stream: number, service: string): Uint8Array {
  const request = Health.Version.request.encode({ service });
  const data = TtrpcRequest.encode({ service: "grpc.Health", method: "Version", payload: request });
  const frame = new Uint8Array(HEADER_BYTES + data.length);
  new DataView(frame.buffer).setUint32(0, data.length);
  new DataView(frame.buffer).setUint32(4, stream);
  frame[8] = 1;
  frame.set(data, HEADER_BYTES);
  return frame;
}

async function version(line: FrameTransport, service: string): Promise<string> {
  const client = createClient(await openSession(line, { timeoutMs: 5000 }));
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

async function readUntil(line: FrameTransport, text: string): Promise<Uint8Array> {
  let seen: Uint8Array = new Uint8Array(0);
  while (!new TextDecoder().decode(seen).includes(text)) {
    const bytes = await line.read(10_000, []);
    if (bytes.length === 0) throw new Error("the line ended");
    seen = new Uint8Array([...seen, ...bytes]);
  }
  return seen;
}
