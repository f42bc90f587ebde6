import { CLONE, Fd, ops, SIG, sleep } from "../index.ts";
import {
  bytes,
  child,
  equal,
  fails,
  noChildIsLeft,
  ok,
  openFile,
  outcomeOf,
  pipe,
  readAll,
  startChild,
  test,
} from "./harness.ts";

const base = { argv: ["x"], env: [], fds: [] };

test("a program that cannot be executed is an error with its path", async (dir) => {
  await fails(() => ops.spawn({ ...base, path: "/nonexistent" }), "ENOENT", "execve", "/nonexistent");
  await fails(() => ops.spawn({ ...base, path: "/etc/passwd" }), "EACCES", "execve", "/etc/passwd");
  await fails(() => ops.spawn({ ...base, path: "/etc" }), "EACCES", "execve", "/etc");
  ops.writeFile(`${dir}/junk`, bytes("\x7fELF junk"), 0o100, 0o755);
  await fails(() => ops.spawn({ ...base, path: `${dir}/junk` }), "ENOEXEC", "execve");
  await fails(() => ops.spawn({ ...base, path: "/nonexistent", doubleFork: true }), "ENOENT", "execve");
  noChildIsLeft();
});

test("the steps before the exec have errors of their own", async () => {
  const sh = { ...base, path: "/bin/sh" };
  await fails(() => ops.spawn({ ...sh, cwd: "/nonexistent" }), "ENOENT", "chdir", "/nonexistent");
  await fails(() => ops.spawn({ ...sh, join: [0] }), "EINVAL", "setns");
  await fails(() => ops.spawn({ ...sh, unshare: 1 }), "EINVAL", "unshare");
  await fails(() => ops.spawn({ ...sh, fds: [{ from: 999, to: 3 }] }), "EBADF", "dup3");
  await fails(() => ops.spawn({ ...sh, fds: [{ from: -1, to: 3 }] }), "EBADF");
  await fails(() => ops.spawn({ ...sh, ctty: true, setsid: true }), "ENOTTY", "ioctl TIOCSCTTY");
  await fails(() => ops.spawn({ ...sh, parentDeathSignal: 99 }), "EINVAL", "prctl");
  await fails(() => ops.spawn(base), "EINVAL", "spawn");
  noChildIsLeft();
});

test("a child gets the descriptors listed, as numbered, and no other", async () => {
  using a = pipe();
  using b = pipe();
  const [out = -1, outWrite = -1] = ops.pipe();
  const spawned = ops.spawn({
    path: "/bin/sh",
    argv: ["sh", "-c", "ls /proc/$$/fd; echo to-four >&4; echo to-three >&3; readlink /proc/$$/fd/0"],
    env: ["PATH=/usr/bin:/bin"],
    // Crossed on purpose: each `to` is (likely) the other's `from`.
    fds: [
      { from: a.write.number, to: 4 },
      { from: b.write.number, to: 3 },
      { from: outWrite, to: 1 },
    ],
  });
  ops.close(outWrite);
  const { code, text } = await outcomeOf({ pidfd: new Fd(spawned.pidfd), output: new Fd(out) });
  a.write.close();
  b.write.close();
  equal([await readAll(a.read.number), await readAll(b.read.number)], ["to-four\n", "to-three\n"]);
  const [listed = "", stdin] = text.split("\n/");
  equal(
    listed
      .trim()
      .split("\n")
      .filter((fd) => Number(fd) < 10),
    ["0", "1", "2", "3", "4"],
  );
  equal([code, stdin], [0, "dev/null\n"]);
});

test("two descriptors change places", async () => {
  using a = pipe();
  using b = pipe();
  const [from, to] = [a.write.number, b.write.number];
  const spawned = ops.spawn({
    path: "/bin/sh",
    argv: ["sh", "-c", `echo one > /proc/self/fd/${to}; echo two > /proc/self/fd/${from}`],
    env: [],
    fds: [
      { from, to },
      { from: to, to: from },
    ],
  });
  using pidfd = new Fd(spawned.pidfd);
  a.write.close();
  b.write.close();
  equal((await ops.waitPidfd(pidfd.number)).code, 0);
  equal([await readAll(a.read.number), await readAll(b.read.number)], ["one\n", "two\n"]);
});

test("argv, environment and directory are those given", async (dir) => {
  using output = openFile(`${dir}/out`, 0o102);
  const spawned = ops.spawn({
    path: "/bin/sh",
    argv: ["name", "-c", 'echo "$0 $1 $X $(pwd) $(env | grep -c .)"', "zero", "ünï"],
    env: ["X=a b", "PATH=/usr/bin:/bin"],
    cwd: dir,
    fds: [{ from: output.number, to: 1 }],
  });
  using pidfd = new Fd(spawned.pidfd);
  await ops.waitPidfd(pidfd.number);
  const line = ops.utf8Decode(ops.pread(output.number, 1000, 0));
  ok(line.startsWith(`zero ünï a b ${dir} `), line);
});

test("a program is executed by descriptor", async () => {
  using program = openFile("/bin/true", 0o10000000);
  const spawned = ops.spawn({ execFd: program.number, argv: ["true"], env: [], fds: [] });
  using pidfd = new Fd(spawned.pidfd);
  equal((await ops.waitPidfd(pidfd.number)).code, 0);
});

child("who", () => {
  console.log(String(ops.getpid()));
  return 0;
});

test("with CLONE_NEWPID the child itself is PID 1", async () => {
  const unshare = CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWNET | CLONE.NEWNS;
  equal((await outcomeOf(startChild("who", "", { unshare }))).text, "1\n");
});

test("a new user namespace owns the pid namespace made with it", async () => {
  equal((await outcomeOf(startChild("who", "", { unshare: CLONE.NEWUSER | CLONE.NEWPID }))).text, "1\n");
});

test("a child that joins a pid namespace is in it, and is ours to wait for", async () => {
  const first = startChild("sleeper", "", { unshare: CLONE.NEWPID });
  using namespace = new Fd(ops.open(`/proc/${first.pid}/ns/pid`, 0, 0));
  const second = startChild("who", "", { join: [namespace.number] });
  ok(second.pid > 2, "known by its pid here");
  equal(await outcomeOf(second), { code: 0, text: "2\n" });
  ops.pidfdSendSignal(first.pidfd.number, SIG.SIGKILL);
  equal((await outcomeOf(first)).code, 128 + SIG.SIGKILL);
});

test("a child forked twice is nobody's, and its pidfd is polled", async () => {
  const spawned = ops.spawn({
    path: "/bin/sleep",
    argv: ["sleep", "30"],
    env: [],
    fds: [],
    doubleFork: true,
    setsid: true,
  });
  using pidfd = new Fd(spawned.pidfd);
  const stat =
    ops
      .utf8Decode(ops.readFile(`/proc/${spawned.pid}/stat`, 4096))
      .split(") ")[1]
      ?.split(" ") ?? [];
  ok(Number(stat[1]) !== ops.getpid(), "its parent is another");
  equal(Number(stat[3]), spawned.pid, "its session is its own");
  await fails(() => ops.waitPidfd(pidfd.number), "ECHILD", "waitid");
  ops.pidfdSendSignal(pidfd.number, SIG.SIGKILL);
  await ops.pidfdEnded(pidfd.number);
});

child("parent", async () => {
  const spawned = ops.spawn({
    path: "/bin/sleep",
    argv: ["sleep", "30"],
    env: [],
    fds: [{ from: 1, to: 1 }],
    parentDeathSignal: SIG.SIGKILL,
  });
  console.log(String(spawned.pid));
  await sleep(20_000);
  return 0;
});

test("a child with a parent-death signal dies with its parent", async () => {
  const started = startChild("parent");
  using output = started.output;
  using parent = started.pidfd;
  const pid = Number(ops.utf8Decode(await ops.read(output.number, 100)));
  using grandchild = new Fd(ops.pidfdOpen(pid));
  ops.pidfdSendSignal(parent.number, SIG.SIGKILL);
  await ops.waitPidfd(parent.number);
  await ops.pidfdEnded(grandchild.number);
  equal(await readAll(output.number), "");
});

test("a terminal becomes the child's controlling one", async () => {
  const pty = ops.openPty();
  using master = new Fd(pty.master);
  using slave = new Fd(pty.slave);
  const spawned = ops.spawn({
    path: "/bin/sh",
    argv: ["sh", "-c", "echo hello > /dev/tty; ps -o tty= -p $$ > /dev/null 2>&1; tty"],
    env: ["PATH=/usr/bin:/bin"],
    fds: [0, 1, 2].map((to) => ({ from: slave.number, to })),
    setsid: true,
    ctty: true,
  });
  using pidfd = new Fd(spawned.pidfd);
  slave.close();
  let printed = "";
  while (!printed.includes("/dev/pts/") && !printed.includes("not a tty")) {
    printed += ops.utf8Decode(await ops.read(master.number, 1000));
  }
  await ops.waitPidfd(pidfd.number);
  ok(printed.startsWith("hello\r\n"), printed);
});
