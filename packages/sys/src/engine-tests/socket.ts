import { Fd, O, ops, SHUT, SOCK, sleep } from "../index.ts";
import { bytes, equal, fails, ok, pipe, readAll, sockets, test, text } from "./harness.ts";

test("unix sockets listen, connect, accept and tell the peer", async (dir) => {
  using listener = new Fd(ops.unixListen(`${dir}/s`, 16));
  const accepting = ops.accept(listener.number);
  using client = new Fd(await ops.unixConnect(`${dir}/s`));
  using server = new Fd(await accepting);
  await ops.write(client.number, bytes("hi"));
  equal(text(await ops.read(server.number, 10)), "hi");
  equal(ops.unixPeer(server.number), { pid: ops.getpid(), uid: 0, gid: 0 });
  ops.shutdown(client.number, SHUT.WR);
  equal((await ops.read(server.number, 10)).length, 0);
});

test("unix socket errors name the path", async (dir) => {
  await fails(() => ops.unixConnect(`${dir}/none`), "ENOENT", "connect", `${dir}/none`);
  ops.writeFile(`${dir}/file`, bytes(""), 0o100, 0o600);
  await fails(() => ops.unixConnect(`${dir}/file`), "ECONNREFUSED", "connect");
  await fails(() => ops.unixListen(`${dir}/file`, 1), "EADDRINUSE", "bind", `${dir}/file`);
  const long = `/tmp/${"x".repeat(108)}`;
  await fails(() => ops.unixListen(long, 1), "ENAMETOOLONG", "unix socket", long);
  await fails(() => ops.unixPeer(0), "ENOTSOCK");
  await fails(() => ops.shutdown(0, SHUT.WR), "ENOTSOCK");
  await fails(() => ops.socketpair(99), "EINVAL");
});

test("an accept ends when its listener is closed", async (dir) => {
  const listener = ops.unixListen(`${dir}/s`, 1);
  const accepting = ops.accept(listener);
  ops.close(listener);
  await fails(() => accepting, "ECANCELED", "accept");
});

test("a full backlog is waited for", async (dir) => {
  using listener = new Fd(ops.unixListen(`${dir}/s`, 0));
  using first = new Fd(await ops.unixConnect(`${dir}/s`));
  let connected = false;
  const second = ops.unixConnect(`${dir}/s`).then((fd) => {
    connected = true;
    return fd;
  });
  await sleep(30);
  equal(connected, false);
  ops.close(await ops.accept(listener.number));
  ops.close(await second);
  ok(first.number > 0, "the first stays");
});

test("descriptors are passed with bytes, close-on-exec", async () => {
  using pair = sockets();
  using ends = pipe();
  await ops.sendFds(pair.a.number, bytes("frame"), [ends.write.number, ends.read.number]);
  const received = await ops.recvFds(pair.b.number, 100);
  equal([text(received.data), received.fds.length], ["frame", 2]);
  const [write, read] = received.fds.map((fd) => new Fd(fd));
  ends.write.close();
  if (write === undefined || read === undefined) throw new Error("two descriptors");
  ops.writeSync(write.number, bytes("through"));
  write.close();
  equal(await readAll(read.number), "through");
  read.close();
});

test("bytes without descriptors, and the end, arrive too", async () => {
  using pair = sockets();
  await ops.sendFds(pair.a.number, bytes("plain"), []);
  const received = await ops.recvFds(pair.b.number, 100);
  equal([text(received.data), received.fds], ["plain", []]);
  pair.a.close();
  const end = await ops.recvFds(pair.b.number, 100);
  equal([end.data.length, end.fds], [0, []]);
});

test("descriptors need a byte, and cannot be any number", async () => {
  using pair = sockets();
  await fails(() => ops.sendFds(pair.a.number, bytes(""), [0]), "EINVAL", "send_fds");
  await fails(() => ops.sendFds(pair.a.number, bytes("x"), new Array(254).fill(0)), "EINVAL");
  await fails(() => ops.sendFds(pair.a.number, bytes("x"), [999]), "EBADF", "sendmsg");
});

test("what is no socket accepts and receives nothing", async () => {
  using ends = pipe();
  await ops.write(ends.write.number, bytes("x")); // these ops wait until there is something
  await fails(() => ops.recvFds(ends.read.number, 1), "ENOTSOCK", "recvmsg");
  await fails(() => ops.recvFds(999, 1), "EBADF");
  await fails(() => ops.accept(ends.read.number), "ENOTSOCK", "accept");
  await fails(() => ops.vsockAccept(ends.read.number), "ENOTSOCK", "accept");
});

test("seqpacket sockets keep message borders", async () => {
  const [a = -1, b = -1] = ops.socketpair(SOCK.SEQPACKET);
  using one = new Fd(a);
  using two = new Fd(b);
  await ops.write(one.number, bytes("first"));
  await ops.write(one.number, bytes("second"));
  equal([text(await ops.read(two.number, 100)), text(await ops.read(two.number, 100))], ["first", "second"]);
});

test("vsock connects, or says in an errno why not", async () => {
  // Without a hypervisor's transport there is no peer; without the module there are no such sockets.
  const nobody = ["ENODEV", "ETIMEDOUT", "ECONNRESET"];
  const port = 40_000 + (ops.getpid() % 20_000);
  let listener: number;
  try {
    listener = ops.vsockListen(port);
  } catch {
    await fails(() => ops.vsockListen(port), "EAFNOSUPPORT", "socket", `vsock port ${port}`);
    await fails(() => ops.vsockConnect(2, port), "EAFNOSUPPORT", "socket", `vsock 2:${port}`);
    return;
  }
  using listening = new Fd(listener);
  await fails(() => ops.vsockListen(port), "EADDRINUSE", "bind");
  try {
    const connecting = ops.vsockConnect(1, port);
    connecting.catch(() => ops.cancel(listening.number));
    const accepted = await ops.vsockAccept(listening.number);
    equal(accepted.cid, 1);
    ops.close(accepted.fd);
    ops.close(await connecting);
  } catch {
    await fails(() => ops.vsockConnect(1, port), nobody);
  }
  listening.close();
  await fails(() => ops.vsockConnect(1, port), nobody, "connect", `vsock 1:${port}`);
});

test("a guest's context id is given to vhost-vsock alone", async () => {
  await fails(() => ops.vhostVsockSetCid(-1, 3), "EBADF", "ioctl", "vhost-vsock cid 3");
  using none = new Fd(ops.open("/dev/null", O.RDWR | O.CLOEXEC, 0));
  await fails(() => ops.vhostVsockSetCid(none.number, 3), "ENOTTY", "ioctl");
});
