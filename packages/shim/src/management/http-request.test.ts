import { expect, test } from "vitest";
import { parseHead } from "./http-request.ts";

const get = (target: string) => parseHead(`GET ${target} HTTP/1.1\r\nHost: localhost`);

test("a request is its method and its path; the query counts for nothing", () => {
  const request = { method: "GET", path: "/metrics", keepAlive: true };
  expect(get("/metrics")).toEqual(request);
  expect(get("/metrics?filter_family=a")).toEqual(request);
  expect(get("http://shim/metrics")).toEqual(request);
  expect(parseHead("GET /metrics HTTP/1.1\r\nhost:a\r\nX-Odd:\t b \t\r\nUser-Agent: \u00e9")).toEqual(
    request,
  );
});

test.each([
  ["HTTP/1.0", "Host: a", false],
  ["HTTP/1.0", "Connection: keep-alive", false],
  ["HTTP/1.1", "Host: a\r\nConnection: keep-alive", true],
  ["HTTP/1.1", "Host: a\r\nConnection: Close", false],
  ["HTTP/1.1", "Host: a\r\nConnection: upgrade\r\nConnection: x, close", false],
  ["HTTP/1.1", "Host: a\r\nContent-Length: 0", true],
  ["HTTP/1.1", "Host: a\r\nContent-Length: 5", false],
  ["HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked", false],
])("%s with %j is followed by another request: %s", (version, fields, keepAlive) => {
  expect(parseHead(`GET / ${version}\r\n${fields}`)).toMatchObject({ keepAlive });
});

test.each([
  "",
  "GET",
  "GET /metrics",
  "GET  /metrics HTTP/1.1\r\nHost: a",
  "GET /metrics HTTP/1.1 \r\nHost: a",
  "GET /metrics http/1.1\r\nHost: a",
  "G(T /metrics HTTP/1.1\r\nHost: a",
  "GET metrics HTTP/1.1\r\nHost: a",
  "GET * HTTP/1.1\r\nHost: a",
  "GET /met\u0000rics HTTP/1.1\r\nHost: a",
  "GET /metrics HTTP/1.1",
  "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b",
  "GET /metrics HTTP/1.1\r\nHost : a",
  "GET /metrics HTTP/1.1\r\nHost: a\r\n folded",
  "GET /metrics HTTP/1.1\r\nHost: a\nX: b",
  "GET /metrics HTTP/1.1\r\nHost: a\r\nX: \u0001",
  "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1",
  "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2",
])("%j is no request", (head) => {
  expect(parseHead(head)).toBe(400);
});

test("other versions of the protocol are named as the reason", () => {
  expect(parseHead("PRI * HTTP/2.0")).toBe(505);
  expect(parseHead("GET / HTTP/0.9")).toBe(505);
});
