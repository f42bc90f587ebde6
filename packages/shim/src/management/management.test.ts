import { Fd, Logger, type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeStream } from "../testing/fake-stream.ts";
import { MAX_CONNECTIONS, Management, type ManagementOrder } from "./management.ts";

const LISTENER = 1000;
let streams: FakeStream[] = [];
let accepted: ((fd: number) => void) | undefined;
let closed: (error: Error) => void = () => {};

beforeEach(() => {
  streams = [];
  const stream = (fd: number): FakeStream => {
    const found = streams[fd];
    if (found === undefined) throw new SysError("EBADF", "read");
    return found;
  };
  const fake: Partial<Ops> = {
    realtimeMs: () => 0,
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    accept: () =>
      new Promise((resolve, reject) => {
        accepted = resolve;
        closed = reject;
      }),
    read: (fd, max) => stream(fd).read(max),
    write: (fd, bytes) => stream(fd).write(bytes),
    close: (fd) => (fd === LISTENER ? closed(new SysError("ECANCELED", "accept")) : stream(fd).close()),
  };
  setOps(fake as Ops);
});
afterEach(() => {
  setOps(undefined);
  vi.useRealTimers();
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A new client's connection, accepted. */
async function connect(): Promise<FakeStream> {
  const stream = new FakeStream();
  accepted?.(streams.push(stream) - 1);
  await settle();
  return stream;
}

/** What a client is answered. */
async function ask(line: string): Promise<string> {
  const stream = await connect();
  stream.send(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`).end();
  await settle();
  return stream.answered;
}

function open(order: Partial<ManagementOrder> = {}): Management {
  return new Management({
    listener: new Fd(LISTENER),
    metrics: async () => "kata_shim_fds 1\n",
    agentUrl: () => "vsock://3:1024",
    log: new Logger({ fd: -1, name: "test" }),
    ...order,
  });
}

test("the figures and the agent's address can be read, and nothing else", async () => {
  open();
  expect(await ask("GET /metrics")).toMatch(
    /^HTTP\/1.1 200 OK.*text\/plain; version=0.0.4.*\n\r\nkata_shim_fds 1\n$/s,
  );
  expect(await ask("GET /agent-url")).toMatch(/^HTTP\/1.1 200 OK.*\r\n\r\nvsock:\/\/3:1024$/s);
  for (const path of ["/", "/metrics/", "/debug/pprof", "/constructor"])
    expect(await ask(`GET ${path}`)).toMatch(/^HTTP\/1.1 404 /);
  expect(await ask("POST /direct-volume/resize")).toMatch(/^HTTP\/1.1 404 /);
  for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
    expect(await ask(`${method} /metrics`)).toMatch(/^HTTP\/1.1 405 /);
});

test("an agent that has no address is not found", async () => {
  open({ agentUrl: () => undefined });
  expect(await ask("GET /agent-url")).toMatch(/^HTTP\/1.1 404 .*the agent's socket has no name/s);
});

test("figures that cannot be had are an error of the server's, once", async () => {
  let fail = true;
  open({
    metrics: async () => {
      if (fail) throw new Error("no /proc");
      return "";
    },
  });
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1.1 500 .*no \/proc\n$/s);
  fail = false;
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1.1 200 /);
});

test("those who ask at once get the same figures", async () => {
  let gathered = 0;
  let give: (text: string) => void = () => {};
  open({
    metrics: () => {
      gathered++;
      return new Promise((resolve) => {
        give = resolve;
      });
    },
  });
  const clients = [await connect(), await connect()];
  for (const client of clients) client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  await settle();
  give("x 1\n");
  await settle();
  expect(clients.map((client) => client.statuses())).toEqual([[200], [200]]);
  expect(gathered).toBe(1);
});

test("one client too many is refused; whoever leaves makes room", async () => {
  open();
  const idle: FakeStream[] = [];
  for (let count = 0; count < MAX_CONNECTIONS; count++) idle.push(await connect());
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1.1 503 /);
  idle[0]?.end();
  await settle();
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1.1 200 /);
});

test("a broken client breaks nothing for the others, nor does an accept that fails for a while", async () => {
  open();
  const broken = await connect();
  broken.send(new Uint8Array([0, 255, 13, 10, 13, 10]));
  await settle();
  expect(broken.statuses()).toEqual([400]);
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  closed(new SysError("EMFILE", "accept"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(await ask("GET /metrics")).toMatch(/^HTTP\/1.1 200 /);
});

test("closing ends the clients there are", async () => {
  const management = open();
  const client = await connect();
  management.close();
  await settle();
  expect(client.closed).toBe(true);
});
