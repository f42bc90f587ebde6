import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { BusConnection, BusError } from "./connection.ts";
import { MESSAGE } from "./message.ts";
import type { Value } from "./value.ts";
import { Writer } from "./writer.ts";

const CALL = { destination: "d.d", path: "/p", interface: "i.i", member: "M", signature: "s", body: ["a"] };
const OK = "OK 0123456789abcdef0123456789abcdef\r\n";
const END = new Uint8Array(0);

afterEach(() => setOps(undefined));

/** A bus: the n-th thing that it is sent, but for "BEGIN", has the n-th of these as answer. @returns what it was sent */
function serve(answers: readonly (string | Uint8Array)[]): { readonly sent: string[]; closed: boolean } {
  const bus = { sent: [] as string[], closed: false };
  const left = answers.map((answer) => Buffer.from(answer));
  let come: Uint8Array[] = [];
  let wake: () => void = () => {};
  let isCanceled = false;
  const fake: Partial<Ops> = {
    geteuid: () => 1000,
    utf8Encode: (text) => new TextEncoder().encode(text),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    unixConnect: async () => 5,
    close: () => {
      bus.closed = true;
    },
    write: async (_, bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      bus.sent.push(text);
      const answer = text === "BEGIN\r\n" ? undefined : left.shift();
      if (answer !== undefined) come.push(answer);
      wake();
    },
    read: async () => {
      while (come.length === 0 && !isCanceled)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (isCanceled) throw new SysError("ECANCELED", "read");
      const bytes = Buffer.concat(come);
      come = [];
      return bytes;
    },
    cancel: () => {
      isCanceled = true;
      wake();
    },
  };
  setOps(fake as Ops);
  return bus;
}

type Reply = {
  type: number;
  to?: number;
  member?: string;
  error?: string;
  body?: [string, readonly Value[]];
};

function encode({ type, to, member, error, body: [signature, values] = ["", []] }: Reply): Uint8Array {
  const body = new Writer();
  body.write(signature, values);
  const head = new Writer();
  const fields: Value[] = [];
  if (member !== undefined) fields.push([3, { type: "s", value: member }]);
  if (error !== undefined) fields.push([4, { type: "s", value: error }]);
  if (to !== undefined) fields.push([5, { type: "u", value: to }]);
  if (signature !== "") fields.push([8, { type: "g", value: signature }]);
  head.write("yyyyuua(yv)", [0x6c, type, 0, 1, body.bytes.length, 99, fields]);
  head.align(8);
  return Buffer.concat([head.bytes, body.bytes]);
}

const hello = encode({ type: MESSAGE.REPLY, to: 1, body: ["s", [":1.1"]] });

test("it says who it is by its user id, then hello; replies and signals come in any order", async () => {
  const signal = (job: string) => encode({ type: MESSAGE.SIGNAL, member: "JobRemoved", body: ["s", [job]] });
  const reply = encode({ type: MESSAGE.REPLY, to: 2, body: ["u", [7]] });
  const served = serve([OK, hello, Buffer.concat([signal("one"), signal("two"), reply])]);
  using bus = await BusConnection.open("/bus", 10_000);
  expect(await bus.call(CALL)).toEqual([7]);
  expect((await bus.signal(({ body }) => body[0] === "two")).body).toEqual(["two"]);
  expect((await bus.signal(({ member }) => member === "JobRemoved")).body).toEqual(["one"]);
  expect(served.sent.slice(0, 2)).toEqual(["\0AUTH EXTERNAL 31303030\r\n", "BEGIN\r\n"]);
  expect(served.closed).toBe(false);
});

test("an error that is answered has its name and text", async () => {
  const error = encode({ type: MESSAGE.ERROR, to: 2, error: "x.UnitExists", body: ["s", ["it exists"]] });
  serve([OK, hello, error]);
  using bus = await BusConnection.open("/bus", 10_000);
  const failure = await bus.call(CALL).catch((caught) => caught);
  expect(failure).toBeInstanceOf(BusError);
  expect(failure).toMatchObject({ errorName: "x.UnitExists", message: "M: it exists" });
});

test.each<[string, readonly (string | Uint8Array)[], object]>([
  ["refuses us", ["REJECTED EXTERNAL\r\n"], { code: "Unauthenticated" }],
  ["goes away", [OK, END], { code: "Unavailable" }],
  ["is silent", [OK], { code: "DeadlineExceeded" }],
  ["sends a line without end", ["x".repeat(5000)], { message: expect.stringContaining("malformed message") }],
  ["sends too much", [OK, huge()], { message: expect.stringMatching(/malformed message: \d+ bytes/) }],
])("a bus that %s is said, and the connection closed", async (_, answers, failure) => {
  const served = serve(answers);
  await expect(BusConnection.open("/bus", 50)).rejects.toMatchObject(failure);
  expect(served.closed).toBe(true);
});

function huge(): Uint8Array {
  const head = new Writer();
  head.write("yyyyuuu", [0x6c, 2, 0, 1, 1 << 30, 1, 0]);
  return head.bytes;
}

test("where no bus listens, the path and what to look at are said", async () => {
  setOps({
    unixConnect: async (path: string) => {
      throw new SysError("ENOENT", "connect", path);
    },
  } as Partial<Ops> as Ops);
  await expect(BusConnection.open("/nosuch/bus", 1000)).rejects.toThrow(
    "cannot reach the message bus at /nosuch/bus: ENOENT (is dbus running?)",
  );
});
