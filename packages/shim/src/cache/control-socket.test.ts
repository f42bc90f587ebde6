import { Fd, ops, SOCK, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeSockets } from "../testing/fake-sockets.ts";
import { ControlSocket, takeFds } from "./control-socket.ts";

let sockets: FakeSockets;
let one: ControlSocket;
let other: ControlSocket;

beforeEach(() => {
  sockets = new FakeSockets(() => {});
  const [first = -1, second = -1] = ops.socketpair(SOCK.STREAM);
  one = new ControlSocket(new Fd(first));
  other = new ControlSocket(new Fd(second));
});
afterEach(() => {
  vi.useRealTimers();
  setOps(undefined);
});

test("a message comes with its descriptors, and those beyond what is taken are closed", async () => {
  const passed = [sockets.open(), sockets.open(), sockets.open()];
  await one.send({ hello: "ü" }, passed);
  const received = await other.receive();
  expect(received?.message).toEqual({ hello: "ü" });
  const before = sockets.descriptors;
  expect(received && takeFds(received, 2)).toHaveLength(2);
  expect(sockets.descriptors).toBe(before - 1);
});

test("a letter of several bytes may be cut in two, and two messages may come at once", async () => {
  const bytes = new TextEncoder().encode('{"a":"ü€😀"}\n{"b":1}\n');
  for (const byte of bytes.subarray(0, 12)) await ops.write(one.fd.number, Uint8Array.of(byte));
  await ops.write(one.fd.number, bytes.subarray(12));
  expect((await other.receive())?.message).toEqual({ a: "ü€😀" });
  expect((await other.receive())?.message).toEqual({ b: 1 });
});

test("the other side's end is no message, however it came about", async () => {
  await other.send({ unread: true });
  const received = one.receive();
  await received;
  await one.send({ unread: true });
  other[Symbol.dispose]();
  expect(await one.receive()).toBeUndefined();
});

test.each(["[]", "7", "nothing", "null"])("%s is refused", async (line) => {
  await ops.write(one.fd.number, ops.utf8Encode(`${line}\n`));
  await expect(other.receive()).rejects.toThrow("no JSON object");
});

test("what is too long is refused", async () => {
  await ops.write(one.fd.number, new Uint8Array(2 << 20).fill(0x20));
  await expect(other.receive()).rejects.toThrow("too long");
});

test("one that says nothing is late, and what it says then is dropped", async () => {
  vi.useFakeTimers();
  const before = sockets.descriptors;
  const received = other.receiveWithin(5_000, "a client");
  const judged = expect(received).rejects.toThrow("a client said nothing within 5 s");
  await vi.advanceTimersByTimeAsync(5_000);
  await judged;
  const passed = sockets.open();
  await one.send({ late: true }, [passed]);
  ops.close(passed);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets.descriptors).toBe(before);
});

test("a process of another user is not talked to", () => {
  one.checkPeer("it is served");
  sockets.peerUid = 1000;
  const before = sockets.descriptors;
  expect(() => one.checkPeer("it is served")).toThrow(/^it is served by another user \(1000\)$/);
  expect(sockets.descriptors).toBe(before - 1);
});
