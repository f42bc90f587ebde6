import { type Ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeStream } from "../testing/fake-stream.ts";
import { CLIENT_MS, LINGER_MS, refuseHttp, serveHttp } from "./http-connection.ts";
import type { HttpRequest } from "./http-request.ts";

const fake: Partial<Ops> = {
  realtimeMs: () => 0,
  utf8Encode: (text) => new TextEncoder().encode(text),
  utf8Decode: (bytes) => new TextDecoder().decode(bytes),
};

beforeEach(() => setOps(fake as Ops));
afterEach(() => {
  setOps(undefined);
  vi.useRealTimers();
});

const GET = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

/** Serves a connection; the body of an answer is the request's path. */
function serve(stream: FakeStream) {
  const asked: string[] = [];
  const done = serveHttp(stream, async ({ method, path }: HttpRequest) => {
    asked.push(`${method} ${path}`);
    return { status: method === "GET" ? 200 : 405, body: path };
  });
  return { asked, done };
}

test("an answer has its length, its type and its date", async () => {
  const stream = new FakeStream().send(GET).end();
  await serve(stream).done;
  expect(stream.answered.split("\r\n")).toEqual([
    "HTTP/1.1 200 OK",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Length: 8",
    "",
    "/metrics",
  ]);
  expect(stream.closed).toBe(true);
});

test("requests in one piece are answered one after the other, and so is one in a hundred pieces", async () => {
  const stream = new FakeStream();
  const { asked, done } = serve(stream);
  stream.send(GET + GET.replace("/metrics", "/b") + GET.slice(0, 7), ...GET.slice(7), "\r\n", GET).end();
  await done;
  expect(asked).toEqual(["GET /metrics", "GET /b", "GET /metrics", "GET /metrics"]);
  expect(stream.statuses()).toEqual([200, 200, 200, 200]);
});

test("after a request that says so, or whose body is not read, the connection ends", async () => {
  for (const field of ["Connection: close", "Content-Length: 3", "Transfer-Encoding: chunked"]) {
    const stream = new FakeStream().send(`PUT / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`, GET);
    const { asked, done } = serve(stream);
    await done;
    expect(asked).toEqual(["PUT /"]);
    expect(stream.answered).toMatch(/\r\nAllow: GET\r\nConnection: close\r\n\r\n\/$/);
    expect(stream.closed).toBe(true);
  }
});

test("the answer to HEAD has no body, though it has a length", async () => {
  const stream = new FakeStream().send(GET.replace("GET", "HEAD"), GET).end();
  await serve(stream).done;
  expect(stream.answered).toMatch(
    /^HTTP\/1.1 405 .*Content-Length: 8\r\nAllow: GET\r\n\r\nHTTP\/1.1 200 OK/s,
  );
});

test("what is no request is refused, and nothing behind it is looked at", async () => {
  for (const [bad, status] of [
    ["\u0000\u0001\u0002\r\n\r\n", 400],
    ["\r\n\r\n", 400],
    ["PRI * HTTP/2.0\r\n\r\n", 505],
    [`GET /${"x".repeat(9000)} HTTP/1.1\r\n\r\n`, 431],
    ["x".repeat(100_000), 431],
  ] as const) {
    const stream = new FakeStream().send(bad, GET);
    const { asked, done } = serve(stream);
    await done;
    expect(asked).toEqual([]);
    expect(stream.statuses()).toEqual([status]);
    expect(stream.closed).toBe(true);
  }
});

test("a head that never ends takes no more memory than a head may have", async () => {
  const stream = new FakeStream();
  let taken = 0;
  let answeredAfter = 0;
  stream.read = async (max) => {
    taken += max;
    if (stream.answered === "") answeredAfter = taken;
    return new Uint8Array(max).fill(0x41);
  };
  await serve(stream).done;
  expect(stream.statuses()).toEqual([431]);
  expect(answeredAfter).toBeLessThanOrEqual(3 * 8192);
  expect(taken).toBeLessThanOrEqual(2 << 20);
});

test("what a client still sends after its last answer is taken before the connection is closed, for a second", async () => {
  vi.useFakeTimers();
  const ends = new FakeStream();
  const stays = new FakeStream();
  for (const stream of [ends, stays]) {
    stream.stays = true;
    stream.send("x".repeat(100_000));
  }
  const both = [serve(ends).done, serve(stays).done];
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  expect([ends.unread, stays.unread]).toEqual([0, 0]);
  expect([ends.closed, stays.closed]).toEqual([false, false]);
  ends.send("more").end();
  await vi.advanceTimersByTimeAsync(0);
  expect([ends.closed, stays.closed]).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(1);
  await Promise.all(both);
  expect(stays.closed).toBe(true);
});

test("a client that never finishes its request is told so when its time is over; one that never begins is left", async () => {
  vi.useFakeTimers();
  const half = new FakeStream().send("GET /met");
  const silent = new FakeStream();
  const both = [serve(half).done, serve(silent).done];
  await vi.advanceTimersByTimeAsync(CLIENT_MS - 1);
  expect([half.closed, silent.closed]).toEqual([false, false]);
  await vi.advanceTimersByTimeAsync(1);
  await Promise.all(both);
  expect(half.statuses()).toEqual([408]);
  expect(silent.answered).toBe("");
  expect([half.closed, silent.closed]).toEqual([true, true]);
});

test("bytes that trickle in give a client no more time", async () => {
  vi.useFakeTimers();
  const stream = new FakeStream().send("GET ");
  const { done } = serve(stream);
  for (let ms = 0; ms < CLIENT_MS; ms += 100) {
    await vi.advanceTimersByTimeAsync(100);
    stream.send("x");
  }
  await done;
  expect(stream.statuses()).toEqual([408]);
});

test("a client that does not take its answer loses its connection", async () => {
  vi.useFakeTimers();
  const stream = new FakeStream().send(GET);
  stream.stuck = true;
  const { done } = serve(stream);
  await vi.advanceTimersByTimeAsync(CLIENT_MS);
  await done;
  expect(stream.closed).toBe(true);
});

test("a client that leaves in the middle of a request ends its connection, without a word", async () => {
  const stream = new FakeStream().send("GET /metr").end();
  await serve(stream).done;
  expect(stream.answered).toBe("");
  expect(stream.closed).toBe(true);
});

test("a connection for which there is no room is told so", async () => {
  const stream = new FakeStream();
  await refuseHttp(stream);
  expect(stream.statuses()).toEqual([503]);
  expect(stream.closed).toBe(true);
});

test("whatever bytes come in whatever pieces, each connection ends and gives statuses that there are", async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const PARTS = [
    GET,
    "GET ",
    "/metrics",
    " HTTP/1.1",
    "\r\n",
    "\r",
    "\n",
    ":",
    "Host: a",
    "\u0000",
    "\u00ff",
    "{",
    "x".repeat(3000),
  ];
  for (let round = 0; round < 2000; round++) {
    let bytes = new TextEncoder().encode(
      Array.from({ length: random(12) }, () => PARTS[random(PARTS.length)]).join(""),
    );
    for (let flips = random(4); flips > 0 && bytes.length > 0; flips--) {
      bytes = bytes.slice();
      bytes[random(bytes.length)] = random(256);
    }
    const stream = new FakeStream();
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random(bytes.length - at);
      stream.send(bytes.subarray(at, at + length));
      at += length;
    }
    await serve(stream.end()).done;
    expect(stream.closed).toBe(true);
    expect([200, 400, 405, 431, 505]).toEqual(expect.arrayContaining(stream.statuses()));
  }
});
