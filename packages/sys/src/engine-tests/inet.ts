import { Fd, ops, SOCK } from "../index.ts";
import { bytes, equal, fails, ok, pipe, sockets, test, text } from "./harness.ts";

const LOOPBACK = "127.0.0.1";
const NOBODY = "192.0.2.1"; // TEST-NET-1, RFC 5737

test("datagrams go from one socket to another, whose address comes with them", async () => {
  using server = new Fd(ops.inetBind(SOCK.DGRAM, LOOPBACK, 0));
  const port = ops.inetPort(server.number);
  ok(port > 0, "a port that is free");
  const first = ops.receiveFrom(server.number, 3);
  using client = new Fd(await ops.inetConnect(SOCK.DGRAM, LOOPBACK, port));
  await ops.write(client.number, bytes("query"));
  const { data, address, port: sender } = await first;
  equal([text(data), address, sender], ["que", LOOPBACK, ops.inetPort(client.number)]);
  ops.sendTo(server.number, bytes("answer"), LOOPBACK, sender);
  equal(text(await ops.read(client.number, 100)), "answer");
});

test("connections of TCP are accepted, of IPv6 too", async () => {
  for (const address of [LOOPBACK, "::1"]) {
    using listener = new Fd(ops.inetBind(SOCK.STREAM, address, 0));
    const accepting = ops.accept(listener.number);
    using client = new Fd(await ops.inetConnect(SOCK.STREAM, address, ops.inetPort(listener.number)));
    using server = new Fd(await accepting);
    await ops.write(server.number, bytes("hello"));
    equal(text(await ops.read(client.number, 100)), "hello");
  }
});

test("errors of sockets name the address", async () => {
  using taken = new Fd(ops.inetBind(SOCK.STREAM, LOOPBACK, 0));
  const port = ops.inetPort(taken.number);
  const name = `${LOOPBACK}:${port}`;
  await fails(() => ops.inetBind(SOCK.STREAM, LOOPBACK, port), "EADDRINUSE", "bind", name);
  taken.close();
  await fails(() => ops.inetConnect(SOCK.STREAM, LOOPBACK, port), "ECONNREFUSED", "connect", name);
  await fails(() => ops.inetBind(SOCK.DGRAM, NOBODY, 5), "EADDRNOTAVAIL", "bind", `${NOBODY}:5`);
  await fails(() => ops.inetBind(SOCK.DGRAM, "localhost", 5), "EINVAL", "inet_bind");
  await fails(() => ops.inetBind(SOCK.DGRAM, LOOPBACK, 65536), "EINVAL", "inet_bind");
  await fails(() => ops.inetConnect(SOCK.SEQPACKET, LOOPBACK, 5), "EINVAL", "inet_connect");
  using ends = pipe();
  await fails(() => ops.inetPort(ends.read.number), "ENOTSOCK", "getsockname");
  using pair = sockets();
  await fails(() => ops.inetPort(pair.a.number), "EINVAL", "inet_port");
  using lonely = new Fd(await ops.inetConnect(SOCK.DGRAM, LOOPBACK, port));
  await ops.write(lonely.number, bytes("is anybody there?"));
  await fails(() => ops.receiveFrom(lonely.number, 1), "ECONNREFUSED", "recvfrom");
  const large = new Uint8Array(70_000);
  await fails(() => ops.sendTo(lonely.number, large, LOOPBACK, port), "EMSGSIZE", "sendto", name);
});
