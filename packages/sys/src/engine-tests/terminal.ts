import { Fd, O, ops, sleep } from "../index.ts";
import { bytes, equal, fails, fileFlags, ok, pipe, test, text } from "./harness.ts";

function openPty(): { master: Fd; slave: Fd; path: string } & Disposable {
  const pty = ops.openPty();
  const [master, slave] = [new Fd(pty.master), new Fd(pty.slave)];
  return {
    master,
    slave,
    path: pty.path,
    [Symbol.dispose]() {
      master.close();
      slave.close();
    },
  };
}

test("a terminal's ends are joined", async () => {
  using pty = openPty();
  ok(ops.isatty(pty.slave.number) && ops.isatty(pty.master.number), "terminals");
  await ops.write(pty.slave.number, bytes("out\n"));
  equal(text(await ops.read(pty.master.number, 100)), "out\r\n");
  await ops.write(pty.master.number, bytes("in\n"));
  equal(text(await ops.read(pty.slave.number, 100)), "in\n");
  equal(fileFlags(pty.slave.number) & O.NONBLOCK, 0, "the slave stays blocking");
});

test("raw mode is set and taken back", async () => {
  using pty = openPty();
  const before = ops.makeRaw(pty.slave.number);
  await ops.write(pty.master.number, bytes("\x03"));
  equal(text(await ops.read(pty.slave.number, 100)), "\x03");
  ops.setTermios(pty.slave.number, before);
  equal([...ops.makeRaw(pty.slave.number)], [...before]);
  await fails(() => ops.setTermios(pty.slave.number, new Uint8Array(3)), "EINVAL", "set_termios");
});

test("window sizes are set and got", async () => {
  using pty = openPty();
  ops.setWinsize(pty.master.number, { row: 24, col: 132 });
  equal(ops.getWinsize(pty.slave.number), { row: 24, col: 132 });
  await fails(() => ops.setWinsize(pty.master.number, { row: 70_000, col: 1 }), "EINVAL", "set_winsize");
});

test("what is no terminal is ENOTTY", async () => {
  using ends = pipe();
  equal(ops.isatty(ends.read.number), false);
  await fails(() => ops.getWinsize(ends.read.number), "ENOTTY", "ioctl TIOCGWINSZ");
  await fails(() => ops.setWinsize(ends.read.number, { row: 1, col: 1 }), "ENOTTY");
  await fails(() => ops.makeRaw(ends.read.number), "ENOTTY");
});

test("a slave that is not read does not block us", async () => {
  using pty = openPty();
  ops.makeRaw(pty.slave.number);
  const pending = ops.write(pty.slave.number, new Uint8Array(200_000)).catch((error: unknown) => error);
  await sleep(5); // timers go on
  let got = 0;
  while (got < 200_000) got += (await ops.read(pty.master.number, 65536)).length;
  equal(await pending, undefined);
});

test("a terminal ends a pump when its other end is closed", async () => {
  using pty = openPty();
  using ends = pipe();
  const pumped = ops.pump(pty.master.number, ends.write.number);
  await ops.write(pty.slave.number, bytes("bye"));
  equal(text(await ops.read(ends.read.number, 10)), "bye");
  pty.slave.close();
  equal(await pumped, 3);
});
