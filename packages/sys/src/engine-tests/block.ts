import { O, ops, sleep } from "../index.ts";
import { bytes, equal, fails, openFile, pipe, runProgram, sockets, test, text } from "./harness.ts";

test("blocks are read, written with a head, and freed", async () => {
  using pair = sockets();
  await ops.write(pair.a.number, bytes("0123456789"));
  const some = await ops.readBlock(pair.b.number, 4);
  equal(some.len, 4);
  const rest = await ops.readBlockExact(pair.b.number, 6);
  equal(rest.len, 6);
  await ops.writeBlock(pair.b.number, bytes("head:"), some.block);
  await ops.writeBlock(pair.b.number, bytes(""), rest.block);
  equal(text(await ops.read(pair.a.number, 100)), "head:0123456789");
  await fails(() => ops.writeBlock(pair.b.number, bytes(""), some.block), "EBADF");
  await ops.write(pair.a.number, bytes("x"));
  const freed = await ops.readBlock(pair.b.number, 4);
  ops.freeBlock(freed.block);
  await fails(() => ops.freeBlock(freed.block), "EBADF");
  pair.a.close();
  equal(await ops.readBlock(pair.b.number, 4), { block: 0, len: 0 });
  await fails(() => ops.readBlockExact(pair.b.number, 4), "ECONNRESET");
});

test("a block that cannot be written is freed all the same", async () => {
  using pair = sockets();
  await ops.write(pair.a.number, bytes("x"));
  const { block } = await ops.readBlock(pair.b.number, 1);
  await fails(() => ops.writeBlock(999, bytes(""), block), "EBADF");
  await fails(() => ops.freeBlock(block), "EBADF");
});

test("64 MiB go through a pump, blocks and pages without a change", async (dir) => {
  // openssl's stream is not to be had everywhere: /dev/urandom once, to a file, and sha256sum on both sides.
  using random = openFile("/dev/urandom");
  using file = openFile(`${dir}/in`, O.CREAT | O.RDWR);
  for (let mib = 0; mib < 64; mib++) ops.writeSync(file.number, ops.readSync(random.number, 1 << 20));
  ops.lseek(file.number, 0, 0);
  using out = openFile(`${dir}/out`, O.CREAT | O.RDWR);
  using ends = pipe();
  using pair = sockets();
  const first = ops.pump(file.number, ends.write.number).then((copied) => {
    ends.write.close();
    return copied;
  });
  const second = relay(ends.read.number, pair.a.number).then(() => pair.a.close());
  const third = ops.pump(pair.b.number, out.number);
  equal([await first, await third], [64 << 20, 64 << 20]);
  await second;
  const sums = await runProgram("/usr/bin/sha256sum", ["sha256sum", `${dir}/in`, `${dir}/out`]);
  const [one = "", two = ""] = sums.text.split("\n").map((line) => line.slice(0, 64));
  equal([one.length, one === two], [64, true]);
});

/** By turns in memory and in pages, in reads of many sizes. */
async function relay(from: number, to: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const read = turn % 2 === 0 ? ops.readPages : ops.readBlock;
    const { block, len } = await read(from, 1 + ((turn * 77_777) % (1 << 20)));
    if (len === 0) return;
    await ops.writeBlock(to, new Uint8Array(), block);
  }
}

test("a bad descriptor rejects", async () => {
  await fails(() => ops.readBlock(999, 1), "EBADF");
  await fails(() => ops.readPages(999, 1), "EBADF");
  await fails(() => ops.readBlockExact(999, 1), "EBADF");
});

/** What the tests of pages write: more than a page, and every byte told from its neighbours. */
const PATTERN = Uint8Array.from({ length: 200_001 }, (_, at) => at % 251);

/** A non-blocking pipe that has room for the pattern and more. */
function widePipe(): ReturnType<typeof pipe> {
  const ends = pipe();
  ops.setPipeSize(ends.write.number, 1 << 20);
  for (const end of [ends.read, ends.write]) ops.setNonblock(end.number, true);
  return ends;
}

/** So many bytes, however many reads they take. */
async function readExactly(fd: number, length: number): Promise<Uint8Array> {
  const all = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const some = await ops.read(fd, length - at);
    if (some.length === 0) throw new Error(`the end after ${at} bytes`);
    all.set(some, at);
    at += some.length;
  }
  return all;
}

test("pages go from a pipe to whatever takes bytes, behind their head", async (dir) => {
  using nonblocking = widePipe();
  using blocking = pipe();
  ops.setPipeSize(blocking.write.number, 1 << 20);
  using pair = sockets();
  using file = openFile(`${dir}/out`, O.CREAT | O.RDWR | O.APPEND);
  const targets = [
    [nonblocking.write.number, nonblocking.read.number],
    [blocking.write.number, blocking.read.number],
    [pair.a.number, pair.b.number],
    [file.number, openFile(`${dir}/out`).number],
  ] as const;
  using source = widePipe();
  for (const [to, from] of targets) {
    await ops.write(source.write.number, PATTERN);
    const { block, len } = await ops.readPages(source.read.number, 1 << 20);
    equal(len, PATTERN.length);
    const written = ops.writeBlock(to, bytes("head:"), block);
    if (to === file.number) await written;
    equal(text(await readExactly(from, 5)), "head:");
    equal(await readExactly(from, len), PATTERN);
    await written;
    await fails(() => ops.freeBlock(block), "EBADF");
  }
  ops.close(targets[3][1]);
});

test("a reader that is late gets all pages", async () => {
  using source = widePipe();
  using sink = widePipe();
  await ops.write(source.write.number, PATTERN);
  const { block, len } = await ops.readPages(source.read.number, 1 << 20);
  await ops.write(sink.write.number, new Uint8Array((1 << 20) - 8192));
  let done = false;
  const written = ops.writeBlock(sink.write.number, bytes("head:"), block).then(() => {
    done = true;
  });
  await sleep(5);
  equal(done, false, "a pipe with less room than the pages need");
  await readExactly(sink.read.number, (1 << 20) - 8192);
  equal(text(await readExactly(sink.read.number, 5)), "head:");
  equal(await readExactly(sink.read.number, len), PATTERN);
  await written;
});

test("few bytes, the end, and what is no pipe are read in pages as in blocks", async (dir) => {
  using source = widePipe();
  await ops.write(source.write.number, bytes("few"));
  const few = await ops.readPages(source.read.number, 1 << 20);
  equal(few.len, 3);
  ops.freeBlock(few.block);
  await ops.write(source.write.number, PATTERN);
  const part = await ops.readPages(source.read.number, 70_000);
  equal(part.len, 70_000);
  ops.freeBlock(part.block);
  const pending = ops.readPages(source.read.number, 1 << 20);
  const rest = await pending;
  equal(rest.len, PATTERN.length - 70_000);
  ops.freeBlock(rest.block);
  source.write.close();
  equal(await ops.readPages(source.read.number, 1 << 20), { block: 0, len: 0 });
  ops.writeFile(`${dir}/file`, PATTERN, O.CREAT, 0o600);
  using file = openFile(`${dir}/file`);
  const whole = await ops.readPages(file.number, 1 << 20);
  equal(whole.len, PATTERN.length);
  ops.freeBlock(whole.block);
});

test("pages whose reader is gone are EPIPE, and freed", async () => {
  using source = widePipe();
  using sink = widePipe();
  sink.read.close();
  for (let round = 0; round < 40; round++) {
    await ops.write(source.write.number, PATTERN);
    const { block } = await ops.readPages(source.read.number, 1 << 20);
    await fails(() => ops.writeBlock(sink.write.number, bytes(""), block), "EPIPE");
    await fails(() => ops.freeBlock(block), "EBADF");
  }
});
