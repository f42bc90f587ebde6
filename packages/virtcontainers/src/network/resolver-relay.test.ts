import type { Init, Method } from "@kata-containers/protocols";
import { KataError, Logger, type Ops, ops, SysError, setOps } from "@kata-containers/sys";
import { textFiles } from "@kata-containers/sys/testing";
import { beforeEach, expect, test, vi } from "vitest";
import { ResolverRelay } from "./resolver-relay.ts";

const HEADER = "  sl  local_address rem_address   st tx_queue\n";
const OTHER = "  66: 0100007F:0035 00000000:0000 07 00000000:00000000\n";
const DOCKERS = "  67: 0B00007F:A001 00000000:0000 07 00000000:00000000\n";
const QUERY = new Uint8Array(12).fill(3);

let sockets: string;
let written: string[];
let warnings: string[];
let open: number;
/** What the resolver answers; undefined: it refuses the connection. */
let answer: Uint8Array | undefined;
let log: Logger;

beforeEach(() => {
  sockets = HEADER + OTHER;
  written = [];
  warnings = [];
  open = 0;
  answer = new Uint8Array([1, 2, 3]);
  const unread = new Map<number, Uint8Array>();
  const fake: Partial<Ops> = {
    readFile: (path, max) => textFiles({ "/proc/thread-self/net/udp": sockets }).readFile(path, max),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    inetConnect: async (type, address, port) => {
      if (answer === undefined) throw new KataError("Unavailable", "refused");
      open++;
      written.push(`${type} ${address}:${port}`);
      unread.set(100 + open, type === 1 ? new Uint8Array([0, answer.length, ...answer]) : answer);
      return 100 + open;
    },
    write: async (_, bytes) => {
      written.push(`${bytes}`);
    },
    read: async (fd, max) => {
      const rest = unread.get(fd) ?? new Uint8Array(0);
      unread.set(fd, rest.subarray(max));
      return rest.subarray(0, max);
    },
    close: () => {
      open--;
    },
  };
  setOps(fake as Ops);
  log = new Logger({ fd: -1, name: "test", level: "error" });
  log.warn = (text) => {
    warnings.push(text);
  };
});

/** An agent in whose guest these queries are asked. */
class AskingAgent {
  readonly asked: string[] = [];
  refuse = false;
  readonly #queries: { id: number; tcp: boolean; message: Uint8Array }[][];

  get left(): number {
    return this.#queries.length;
  }

  constructor(...queries: { id: number; tcp: boolean; message: Uint8Array }[][]) {
    this.#queries = queries;
  }

  async request<Req extends object, Res extends object>(method: Method<Req, Res>, message: Init<Req>) {
    if (this.refuse) throw new KataError("Unimplemented", "unknown");
    if (method.method === "NextQueries") {
      const queries = this.#queries.shift();
      if (queries === undefined) return await new Promise<Res>(() => {});
      return Object.assign(method.response.empty(), { queries });
    }
    const {
      id,
      message: bytes,
      address,
    } = message as { id?: number; message?: Uint8Array; address?: string };
    this.asked.push(`${method.method} ${address ?? `${id}: ${bytes}`}`);
    return method.response.empty();
  }
}

test("without docker's resolver in the namespace the guest is told nothing; it is when there is one, once", async () => {
  const agent = new AskingAgent();
  const relay = new ResolverRelay(log);
  await relay.offer(agent);
  expect(agent.asked).toEqual([]);
  sockets += DOCKERS;
  await relay.offer(agent);
  await relay.offer(agent);
  expect(agent.asked).toEqual(["Listen 127.0.0.11"]);
});

test("queries of UDP and TCP are asked at docker's resolver, and answered", async () => {
  sockets += DOCKERS;
  const agent = new AskingAgent(
    [{ id: 1, tcp: false, message: QUERY }],
    [{ id: 2, tcp: true, message: QUERY }],
  );
  await new ResolverRelay(log).offer(agent);
  await vi.waitFor(() => expect(agent.asked).toHaveLength(3));
  expect(written).toEqual(["2 127.0.0.11:53", `${QUERY}`, "1 127.0.0.11:53", `0,12,${QUERY}`]);
  expect(agent.asked.slice(1)).toEqual(["Answer 1: 1,2,3", "Answer 2: 1,2,3"]);
  expect(open).toBe(0);
});

test("what is no query, or finds no resolver, has an empty answer", async () => {
  sockets += DOCKERS;
  const agent = new AskingAgent([{ id: 1, tcp: false, message: new Uint8Array(11) }]);
  await new ResolverRelay(log).offer(agent);
  await vi.waitFor(() => expect(agent.asked).toHaveLength(2));
  expect([agent.asked.slice(1), written]).toEqual([["Answer 1: "], []]);
  answer = undefined;
  const second = new AskingAgent([{ id: 7, tcp: false, message: QUERY }]);
  await new ResolverRelay(log).offer(second);
  await vi.waitFor(() => expect(second.asked).toHaveLength(2));
  expect(second.asked.slice(1)).toEqual(["Answer 7: "]);
});

test("what waits for an answer holds no more than the query, whatever it came with", async () => {
  sockets += DOCKERS;
  const frame = new Uint8Array(1 << 20).fill(3);
  const agent = new AskingAgent([{ id: 1, tcp: false, message: frame.subarray(0, 12) }]);
  let asked: Uint8Array | undefined;
  setOps({
    ...ops,
    write: async (_, bytes) => {
      asked = bytes;
    },
  });
  await new ResolverRelay(log).offer(agent);
  await vi.waitFor(() => expect(agent.asked).toHaveLength(2));
  expect(asked?.buffer.byteLength).toBe(12);
});

test("sockets that cannot be read are no reason to go without a container", async () => {
  setOps({
    ...ops,
    readFile: () => {
      throw new SysError("EACCES", "open");
    },
  });
  await new ResolverRelay(log).offer(new AskingAgent());
  expect(warnings).toEqual([expect.stringContaining("names of docker's resolver are not known")]);
});

test("a guest that cannot have it goes without, with a warning", async () => {
  sockets += DOCKERS;
  const agent = new AskingAgent();
  agent.refuse = true;
  await new ResolverRelay(log).offer(agent);
  expect(warnings).toEqual([expect.stringContaining("names of docker's resolver are not known")]);
});

test("a guest that says without end that there are queries, and has none, keeps nobody busy", async () => {
  sockets += DOCKERS;
  const agent = new AskingAgent(...Array.from({ length: 1000 }, () => []));
  await new ResolverRelay(log).offer(agent);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(agent.left).toBeGreaterThan(900);
});
