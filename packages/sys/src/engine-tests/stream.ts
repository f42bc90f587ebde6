import { Fd, IN, O, ops, S, sleep } from "../index.ts";
import {
  bytes,
  child,
  equal,
  fails,
  fileFlags,
  ok,
  openFile,
  outcomeOf,
  pipe,
  readAll,
  sockets,
  startChild,
  test,
  text,
} from "./harness.ts";

test("a read waits for bytes and tells the end", async () => {
  using ends = pipe();
  const pending = ops.read(ends.read.number, 100);
  await sleep(1);
  await ops.write(ends.write.number, bytes("hello"));
  equal(text(await pending), "hello");
  ends.write.close();
  equal((await ops.read(ends.read.number, 100)).length, 0);
});

test("a write to a full pipe waits for the reader, and sets no O_NONBLOCK", async () => {
  using ends = pipe();
  const pending = ops.write(ends.write.number, new Uint8Array(1 << 20).fill(7));
  let got = 0;
  while (got < 1 << 20) got += (await ops.read(ends.read.number, 1 << 16)).length;
  await pending;
  equal(fileFlags(ends.write.number) & O.NONBLOCK, 0);
  equal(fileFlags(ends.read.number) & O.NONBLOCK, 0);
});

test("a FIFO opened by path works the same way", async (dir) => {
  ops.mknod(`${dir}/p`, S.IFIFO | 0o600, 0, 0);
  using both = openFile(`${dir}/p`, O.RDWR);
  using write = openFile(`${dir}/p`, O.WRONLY);
  const pending = ops.write(write.number, new Uint8Array(300_000));
  let got = 0;
  while (got < 300_000) got += (await ops.read(both.number, 1 << 16)).length;
  await pending;
  equal(fileFlags(write.number) & O.NONBLOCK, 0);
});

test("files and /dev/null are read and written at once", async (dir) => {
  using file = openFile(`${dir}/f`, O.CREAT | O.RDWR);
  await ops.write(file.number, bytes("content"));
  ops.lseek(file.number, 0, 0);
  equal(text(await ops.read(file.number, 100)), "content");
  using nothing = openFile("/dev/null", O.RDWR);
  await ops.write(nothing.number, bytes("x"));
  equal((await ops.read(nothing.number, 10)).length, 0);
});

test("cancel ends what pends, and only that", async () => {
  using ends = pipe();
  const pending = [
    ops.read(ends.read.number, 1),
    ops.readable(ends.read.number),
    ops.readableEdge(ends.read.number),
  ];
  ops.cancel(ends.read.number);
  // All at once: Node.js ends a program at a rejection that nobody waits for yet.
  await Promise.all(pending.map((op) => fails(() => op, "ECANCELED")));
  await ops.write(ends.write.number, bytes("x"));
  equal(text(await ops.read(ends.read.number, 1)), "x");
});

test("close ends what pends, and the number can be used anew", async () => {
  const first = pipe();
  const number = first.read.number;
  const pending = ops.read(number, 1);
  first.read.close();
  await fails(() => pending, "ECANCELED", "read");
  first.write.close();
  using second = pipe();
  equal(second.read.number, number, "the same number");
  const again = ops.read(number, 10);
  await sleep(1);
  await ops.write(second.write.number, bytes("new"));
  equal(text(await again), "new");
});

test("a broken pipe is EPIPE and no signal", async () => {
  using ends = pipe();
  ends.read.close();
  await fails(() => ops.write(ends.write.number, bytes("x")), "EPIPE", "write");
  using pair = sockets();
  pair.b.close();
  await fails(() => ops.write(pair.a.number, bytes("x")), "EPIPE", "write");
});

test("several readers of one descriptor are all served", async () => {
  using ends = pipe();
  const readers = [1, 2, 3].map(() => ops.read(ends.read.number, 1));
  for (const letter of ["a", "b", "c"]) {
    await ops.write(ends.write.number, bytes(letter));
  }
  equal((await Promise.all(readers)).map(text).sort(), ["a", "b", "c"]);
});

test("an edge is one that comes after the call", async () => {
  using pair = sockets();
  await ops.write(pair.b.number, bytes("x"));
  await ops.readable(pair.a.number);
  let edges = 0;
  const edge = ops.readableEdge(pair.a.number).then(() => edges++);
  await sleep(10);
  equal(edges, 0, "edges of what was there before");
  await ops.write(pair.b.number, bytes("y"));
  await edge;
  equal(edges, 1);
  equal(text(await ops.read(pair.a.number, 10)), "xy");
});

test("an edge at the end of file comes once", async () => {
  using pair = sockets();
  pair.b.close();
  equal((await ops.read(pair.a.number, 1)).length, 0);
  await sleep(1);
  let edges = 0;
  const edge = ops.readableEdge(pair.a.number).then(
    () => edges++,
    () => {},
  );
  await sleep(10);
  equal(edges, 0, "a hang-up that was there before");
  ops.cancel(pair.a.number);
  await edge;
});

child("checksum", async () => {
  let sum = 0;
  let length = 0;
  for (;;) {
    const chunk = await ops.read(0, 1 << 16);
    if (chunk.length === 0) break;
    for (const byte of chunk) sum = (sum * 31 + byte) >>> 0;
    length += chunk.length;
  }
  console.log(`${length} ${sum}`);
  return 0;
});

test("a pump ends by cancel of its source, with what it has copied", async () => {
  using from = pipe();
  using to = pipe();
  const pumped = ops.pump(from.read.number, to.write.number);
  await ops.write(from.write.number, bytes("12345"));
  equal(text(await ops.read(to.read.number, 10)), "12345");
  ops.cancel(from.read.number);
  equal(await pumped, 5);
});

test("a pump whose reader is gone is EPIPE", async () => {
  using from = pipe();
  using to = pipe();
  to.read.close();
  const pumped = ops.pump(from.read.number, to.write.number);
  await ops.write(from.write.number, bytes("12345"));
  await fails(() => pumped, "EPIPE", "write");
});

test("a pump that never waits does not keep timers from firing", async () => {
  using zero = openFile("/dev/zero");
  using nothing = openFile("/dev/null", O.WRONLY);
  const pumped = ops.pump(zero.number, nothing.number);
  await sleep(5);
  ops.cancel(zero.number);
  ok((await pumped) > 0, "something was copied");
});

test("an idle pump and a stopped reader hold little memory", async () => {
  using from = pipe();
  using to = pipe();
  const before = ops.memoryUse().rssKb;
  const pumped = fails(() => ops.pump(from.read.number, to.write.number), "ECANCELED");
  const writing = ops.write(from.write.number, new Uint8Array(8 << 20)).catch(() => {});
  await sleep(20);
  ok(ops.memoryUse().rssKb - before < 20_000, "a stopped reader costs no more than the write itself");
  ops.cancel(from.write.number);
  ops.cancel(to.write.number);
  await writing;
  await pumped;
});

test("pipes grow, eventfds are readable when they count", async () => {
  using ends = pipe();
  equal(ops.setPipeSize(ends.write.number, 1 << 20), 1 << 20);
  await fails(() => ops.setPipeSize(999, 1), "EBADF", "fcntl");
  using event = new Fd(ops.eventfd());
  const pending = ops.readable(event.number);
  ops.writeSync(event.number, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  await pending;
  equal(ops.readSync(event.number, 8)[0], 1);
});

test("inotify tells of a change, and names the path that is not there", async (dir) => {
  await fails(() => ops.inotify(`${dir}/none`, IN.MODIFY), "ENOENT", "inotify_add_watch");
  ops.writeFile(`${dir}/watched`, bytes("a"), O.CREAT, 0o600);
  using watch = new Fd(ops.inotify(`${dir}/watched`, IN.MODIFY));
  const pending = ops.readable(watch.number);
  ops.writeFile(`${dir}/watched`, bytes("b"), 0, 0o600);
  await pending;
  equal(ops.readSync(watch.number, 4096).length, 16);
});

test("a bad descriptor rejects", async () => {
  await fails(() => ops.read(999, 1), "EBADF", "fstat");
  await fails(() => ops.write(999, bytes("x")), "EBADF");
  await fails(() => ops.pump(999, 998), "EBADF");
  await fails(() => ops.readable(999), "EBADF", "fstat");
  await fails(() => ops.readableEdge(999), "EBADF", "fstat");
});

test("O_NONBLOCK set later is taken into account", async () => {
  using ends = pipe();
  const pending = ops.read(ends.read.number, 1);
  ops.setNonblock(ends.read.number, true);
  ok((fileFlags(ends.read.number) & O.NONBLOCK) !== 0, "it is set");
  await ops.write(ends.write.number, bytes("x"));
  equal(text(await pending), "x");
});

test("standard output that is a full pipe is waited for without O_NONBLOCK", async () => {
  const started = startChild("flood");
  using output = started.output;
  await sleep(20);
  equal((await readAll(output.number)).length, 400_000);
  equal((await outcomeOf({ pidfd: started.pidfd, output: openFile("/dev/null") })).code, 0);
});
child("flood", async () => {
  await ops.write(1, new Uint8Array(400_000).fill(97));
  return fileFlags(1) & O.NONBLOCK ? 1 : 0;
});
