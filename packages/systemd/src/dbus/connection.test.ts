import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { encode, hello, OK, serve } from "../testing/fake-bus.ts";
import { BusConnection, BusError } from "./connection.ts";
import { MESSAGE } from "./message.ts";
import { Writer } from "./writer.ts";

const CALL = { destination: "d.d", path: "/p", interface: "i.i", member: "M", signature: "s", body: ["a"] };
const END = new Uint8Array(0);

afterEach(() => setOps(undefined));

test("it is who its socket says, then says hello; replies and signals come in any order", async () => {
  const signal = (job: string) => encode({ type: MESSAGE.SIGNAL, member: "JobRemoved", body: ["s", [job]] });
  const reply = encode({ type: MESSAGE.REPLY, to: 2, body: ["u", [7]] });
  const served = serve([OK, hello, Buffer.concat([signal("one"), signal("two"), reply])]);
  using bus = await BusConnection.open("/bus", 10_000);
  expect(await bus.call(CALL)).toEqual([7]);
  expect((await bus.signal(({ body }) => body[0] === "two")).body).toEqual(["two"]);
  expect((await bus.signal(({ member }) => member === "JobRemoved")).body).toEqual(["one"]);
  expect(served.sent.slice(0, 2)).toEqual(["\0AUTH EXTERNAL\r\nDATA\r\n", "BEGIN\r\n"]);
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
