import { O, ops } from "../index.ts";
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

test("64 MiB go through a pump and blocks without a change", async (dir) => {
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

async function relay(from: number, to: number): Promise<void> {
  for (;;) {
    const { block, len } = await ops.readBlock(from, 256 << 10);
    if (len === 0) return;
    await ops.writeBlock(to, new Uint8Array(), block);
  }
}

test("a bad descriptor rejects", async () => {
  await fails(() => ops.readBlock(999, 1), "EBADF");
  await fails(() => ops.readBlockExact(999, 1), "EBADF");
});
