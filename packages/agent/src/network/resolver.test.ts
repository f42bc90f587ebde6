import { KataError, type Ops, ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { portProgram } from "./port-redirect.ts";
import { Resolver } from "./resolver.ts";

const QUERY = new Uint8Array(12).fill(1);
const never = new AbortController().signal;

let sent: string[];
let attached: string[];
/** Datagrams that are on their way. */
let arrive: (data: Uint8Array, port: number) => void;
let refuseBpf: boolean;
let open: number;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  attached = [];
  open = 0;
  refuseBpf = false;
  const queue: { data: Uint8Array; address: string; port: number }[] = [];
  let take: (() => void) | undefined;
  arrive = (data, port) => {
    queue.push({ data, address: "127.0.0.1", port });
    take?.();
  };
  const fake: Partial<Ops> = {
    inetBind: () => 100 + open++,
    inetPort: () => 4000,
    close: () => {
      open--;
    },
    accept: () => new Promise(() => {}),
    receiveFrom: async () => {
      while (queue.length === 0) await new Promise<void>((resolve) => (take = resolve));
      const next = queue.shift();
      if (next === undefined) throw new Error("no datagram");
      return next;
    },
    sendTo: (_, bytes, address, port) => {
      sent.push(`${bytes} ${address}:${port}`);
    },
    mkdir: () => {},
    statIfThere: () => undefined,
    mount: () => {},
    umount: () => {},
    bpfAttach: (_, type, attach, program) => {
      if (refuseBpf) throw new KataError("Internal", "no BPF");
      attached.push(`${type} ${attach} ${program.length}`);
    },
  };
  setOps(fake as Ops);
});
afterEach(() => vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

test("a query waits for the host, whose answer goes to who asked; the address is listened at once", async () => {
  const resolver = new Resolver();
  resolver.listen("127.0.0.11");
  resolver.listen("127.0.0.11");
  expect([open, attached]).toEqual([2, ["18 10 28", "18 11 40", "18 14 28", "18 19 28", "18 20 40"]]);
  const next = resolver.next(never);
  arrive(QUERY, 5000);
  const [query] = await next;
  expect(query).toEqual({ id: 1, tcp: false, message: QUERY });
  resolver.answer(1, new Uint8Array([7]));
  resolver.answer(1, new Uint8Array([8]));
  expect(sent).toEqual(["7 127.0.0.1:5000"]);
});

test("queries that come together go together; what is none, and more than 64, is dropped", async () => {
  const resolver = new Resolver();
  resolver.listen("127.0.0.11");
  arrive(new Uint8Array(11), 1);
  for (let port = 1; port <= 70; port++) arrive(QUERY, port);
  await settle();
  expect(await resolver.next(never)).toHaveLength(64);
  resolver.answer(1, new Uint8Array(0));
  arrive(QUERY, 99);
  await settle();
  expect((await resolver.next(never)).map(({ id }) => id)).toEqual([65]);
  expect(sent).toEqual([]);
});

test("what nobody fetches within 10 s is forgotten", async () => {
  const resolver = new Resolver();
  resolver.listen("127.0.0.11");
  arrive(QUERY, 1);
  await vi.advanceTimersByTimeAsync(10_001);
  arrive(QUERY, 2);
  await settle();
  expect((await resolver.next(never)).map(({ id }) => id)).toEqual([2]);
});

test("an error that passes costs a query, not all after it", async () => {
  const { receiveFrom } = ops;
  let errors = 2;
  setOps({
    ...ops,
    receiveFrom: (fd, max) =>
      errors-- > 0 ? Promise.reject(new SysError("ENOMEM", "recvfrom")) : receiveFrom(fd, max),
  });
  const resolver = new Resolver();
  resolver.listen("127.0.0.11");
  const next = resolver.next(never);
  arrive(QUERY, 1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await next).toHaveLength(1);
});

test("a caller that is gone takes no query", async () => {
  const resolver = new Resolver();
  resolver.listen("127.0.0.11");
  const gone = new AbortController();
  const first = resolver.next(gone.signal);
  const second = resolver.next(never);
  gone.abort(new KataError("Unavailable", "gone"));
  await expect(first).rejects.toThrow("gone");
  arrive(QUERY, 1);
  expect(await second).toHaveLength(1);
});

test("no address but the loopback interface's; without BPF nothing stays open", () => {
  const resolver = new Resolver();
  for (const address of ["10.0.0.1", "127.0.0", "::1", "127.0.0.1 "])
    expect(() => resolver.listen(address)).toThrow("not of 127.0.0.0/8");
  refuseBpf = true;
  expect(() => resolver.listen("127.0.0.11")).toThrow("no BPF");
  expect(open).toBe(0);
});

test("the program changes one port of one address, in network byte order", () => {
  const words = portProgram([{ offset: 4, word: 0xfe00007f }], 53, 0x1234);
  const [load, , jump, address, , , leave, from, , to] = words.slice(12);
  expect([load, jump]).toEqual([0x61 | (2 << 8) | (6 << 12) | (4 << 16), 0x56 | (2 << 8) | (4 << 16)]);
  expect([address, from, to]).toEqual([0xfe00007f, 0x3500, 0x3412]);
  // To what says that the call goes on, two instructions before the end.
  expect(leave).toBe(0x56 | (2 << 8) | (2 << 16));
});
