import { CLONE, describeError, Fd, MNT, MS, mappedStack, O, ops, readText, SIG, sleep } from "../index.ts";
import {
  child,
  equal,
  fails,
  host,
  ok,
  outcomeOf,
  ownTest,
  readAll,
  runProgram,
  startChild,
  test,
} from "./harness.ts";

ownTest("argv[0] is the program's name", () => {
  equal(ops.args()[0], "engine-tests");
});

test("text crosses as UTF-8, lone surrogates and wrong bytes as U+FFFD", () => {
  equal([...ops.utf8Encode("aé€😀\0")], [97, 195, 169, 226, 130, 172, 240, 159, 152, 128, 0]);
  equal([...ops.utf8Encode("\ud800x")], [239, 191, 189, 120]);
  equal(ops.utf8Decode(new Uint8Array([97, 255, 240, 159, 152, 128])), "a\ufffd😀");
  equal(new TextDecoder().decode(new TextEncoder().encode("grüße")), "grüße");
});

test("a view crosses as its own bytes only", () => {
  equal(ops.utf8Decode(new Uint8Array([97, 98, 99, 100]).subarray(1, 3)), "bc");
});

test("sha256 is that of FIPS 180-4", () => {
  const hex = [...ops.sha256(ops.utf8Encode("abc"))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("random bytes differ", () => {
  equal(ops.random(16).length, 16);
  const draws = new Set([ops.random(16).join(), ops.random(16).join()]);
  equal(draws.size, 2, "different draws");
});

test("clocks go on", async () => {
  const [mono, real] = [ops.monotonicMs(), ops.realtimeMs()];
  await sleep(5);
  // Node.js's timers may fire a fraction of a millisecond early.
  ok(ops.monotonicMs() - mono >= 4, "monotonic clock went on by 4 ms");
  ok(real > 1.6e12, "clock of the day is after 2020");
});

test("timers fire in order of their time, and a cleared one never", async () => {
  const fired: string[] = [];
  setTimeout(() => fired.push("late"), 20);
  setTimeout(() => fired.push("early"), 5);
  clearTimeout(setTimeout(() => fired.push("cleared"), 1));
  clearTimeout(4711);
  await sleep(40);
  equal(fired, ["early", "late"]);
});

test("a sleep ends when it is cancelled", async () => {
  const pending = ops.sleep(1_000_001, 60_000);
  ops.sleepCancel(1_000_001);
  equal(await pending, false);
  equal(await ops.sleep(1_000_001, 0), true);
});

ownTest("garbage in a circle is collected while the program waits", async () => {
  const gone = new Promise<void>((resolve) => {
    const circle: { self?: unknown; held: Uint8Array } = { held: new Uint8Array(64 << 10) };
    circle.self = circle;
    held = new FinalizationRegistry(resolve);
    held.register(circle, undefined);
  });
  const patience = new AbortController();
  const late = sleep(10_000, patience.signal).then(() => "never");
  equal(await Promise.race([gone.then(() => "collected"), late]), "collected");
  patience.abort();
  await late.catch(() => {});
});

/** The registry must outlive what it watches. */
let held: FinalizationRegistry<undefined> | undefined;

test("an aborted sleep rejects with the reason", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const pending = sleep(60_000, controller.signal).catch((error: unknown) => error);
  controller.abort(reason);
  ok((await pending) === reason, "the reason comes out");
});

const PANIC = /: EPANIC: a broken op at crates\/sys\/src\/engine\.rs:\d+$/;

test("a panic inside an op is an error with its place and no crash", async () => {
  const error = await fails(() => ops.breakOp(), "EPANIC", "break_op");
  ok(PANIC.test(error.message), error.message);
  equal(ops.utf8Decode(ops.utf8Encode("still here")), "still here");
});

test("a panic in an op that is awaited is the same, and what else is awaited goes on", async () => {
  const [read = -1, write = -1] = ops.pipe();
  using source = new Fd(read);
  using sink = new Fd(write);
  const reading = ops.read(source.number, 10);
  const error = await fails(() => ops.breakOpLater(), "EPANIC", "break_op_later");
  ok(PANIC.test(error.message), error.message);
  await ops.write(sink.number, ops.utf8Encode("on"));
  equal(ops.utf8Decode(await reading), "on");
  await fails(() => ops.breakOpLater(), "EPANIC", "break_op_later");
});

child("exits", async () => {
  await fails(() => Reflect.apply(ops.exit, ops, []), "EINVAL", "exit");
  ops.exit(42);
  console.log("goes on");
  return 0;
});

test("exit ends the program at once, with its status", async () => {
  equal(await outcomeOf(startChild("exits")), { code: 42, text: "" });
});

test("a wrong argument names itself", async () => {
  const error = await fails(() => ops.open("/tmp", 0.5, 0), "EINVAL", "open");
  ok(error.message.includes("argument flags: expected integer"), error.message);
  await fails(() => ops.read(-1, -(2 ** 40)), "EINVAL", "read");
  await fails(() => ops.mkdir("/tmp/a\0b", 0o700), "EINVAL");
});

test("what asks the kernel for nothing that it could refuse still has arguments that can be wrong", async () => {
  for (const [op, syscall] of [
    ["utf8Encode", "utf8_encode"],
    ["utf8Decode", "utf8_decode"],
    ["sha256", "sha256"],
    ["random", "random"],
    ["sleep", "sleep"],
    ["sleepCancel", "sleep_cancel"],
    ["cancel", "cancel"],
    ["isatty", "isatty"],
  ] as const) {
    const error = await fails(() => Reflect.apply(ops[op], ops, [[]]), "EINVAL", syscall);
    ok(/argument \w+: expected /.test(error.message), error.message);
  }
});

function throwsInside(): void {
  ops.open("/nonexistent/file", 0, 0);
}

async function rejectsInside(): Promise<void> {
  await ops.unixConnect("/nonexistent/socket");
}

ownTest("stacks name the TypeScript file and line, of sync and async ops", async () => {
  const repository = ops.readlink("/proc/self/exe").replace(/\/build\/test\/[^/]*$/, "");
  const source = readText(`${repository}/packages/sys/src/engine-tests/engine.ts`).split("\n");
  for (const [call, name] of [
    [throwsInside, "throwsInside"],
    [rejectsInside, "rejectsInside"],
  ] as const) {
    try {
      await call();
      ok(false, "throws");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const frame = mappedStack(error).split("\n")[0] ?? "";
      const match = /at (\w+) \((packages\/sys\/src\/engine-tests\/engine\.ts):(\d+):\d+\)/.exec(frame);
      equal(match?.[1], name, `function in "${frame}"`);
      // The call is the line below the function's head; lines count from 1.
      const head = source.findIndex((line) => line.includes(`function ${name}(`));
      equal(Number(match?.[3]), head + 2, `line in "${frame}"`);
    }
  }
});

child("tells-map", async () => {
  await fails(() => ops.sourceMap(), "ENODATA", "sourceMap");
  console.log(mappedStack(new Error("x")).split("\n")[0]);
  return 0;
});

test("a program whose bundle has no source map is ENODATA, and its stacks keep the bundle's positions", async (dir) => {
  const path = `${dir}/engine-tests`;
  copyWithoutMaps(host.program, path);
  const { code, text } = await outcomeOf(startChild("tells-map", "", { path }));
  equal(code, 0, text);
  ok(text.includes("bundle:"), text);
});

/** A copy of a program whose index (crates/engine/src/pack.rs) gives every source map the length 0. */
function copyWithoutMaps(from: string, to: string): void {
  const image = ops.readFile(from, 64 << 20);
  const trailer = new DataView(image.buffer, image.byteOffset + image.length - 16);
  const [at, length] = [Number(trailer.getBigUint64(0, true)), Number(trailer.getBigUint64(8, true))];
  const index = ops.utf8Decode(image.subarray(at, at + length));
  image.set(ops.utf8Encode(index.replaceAll(/\d+$/gm, (digits) => "0".repeat(digits.length))), at);
  ops.writeFile(to, image, O.CREAT | O.EXCL, 0o700);
}

test("an error's description has its cause", () => {
  const text = describeError(new Error("outer", { cause: new TypeError("inner") }));
  ok(text.includes("Error: outer") && text.includes("caused by TypeError: inner"), text);
});

child("unhandled", async () => {
  void Promise.reject(new Error("nobody cares"));
  await sleep(10_000);
  return 0;
});
child("throws", () => {
  throw new Error("broken program");
});
child("late-handler", async () => {
  const rejected = Promise.reject(new Error("handled in time"));
  await Promise.resolve();
  await rejected.catch(() => {});
  await sleep(5);
  return 3;
});
child("greedy", () => {
  const hoard: Uint8Array[] = [];
  try {
    for (;;) hoard.push(new Uint8Array(16 << 20));
  } catch (error) {
    hoard.length = 0;
    console.log(error instanceof Error ? error.message : "?");
    return 4;
  }
});
child("deep", () => {
  const deeper = (): number => deeper() + 1;
  try {
    return deeper();
  } catch {
    return 5;
  }
});

for (const [role, message] of [
  ["unhandled", "nobody cares"],
  ["throws", "broken program"],
] as const) {
  test(`a program that is broken (${role}) prints where, and ends with 70`, async () => {
    const [read = -1, write = -1] = ops.pipe();
    const started = startChild(role, "", { stderr: write });
    ops.close(write);
    const outcome = await outcomeOf(started);
    const printed = ops.utf8Decode(await ops.read(read, 65536));
    ops.close(read);
    equal(outcome.code, 70);
    ok(printed.startsWith(`engine-tests: Error: ${message}; at `), printed);
    ok(printed.indexOf("\n") === printed.length - 1, "one line");
    ok(printed.includes("packages/sys/src/engine-tests/engine.ts:"), printed);
  });
}

test("a rejection that is handled in time is none", async () => {
  equal((await outcomeOf(startChild("late-handler"))).code, 3);
});

test("memory has a limit, and to reach it is an error that can be caught", async () => {
  const { code, text } = await outcomeOf(startChild("greedy"));
  equal([code, text], [4, "out of memory\n"]);
});

test("the stack has a limit", async () => {
  equal((await outcomeOf(startChild("deep"))).code, 5);
});

test("memoryUse tells what this process holds", () => {
  const use = ops.memoryUse();
  ok(use.rssKb > 500 && use.peakRssKb >= use.rssKb && use.pssKb > 0, JSON.stringify(use));
});

ownTest("the environment is that of the process", () => {
  equal(ops.env().join("\0"), ops.utf8Decode(ops.readFile("/proc/self/environ", 1 << 20)).replace(/\0$/, ""));
});

child("crowded", async () => {
  // An engine's first wait makes what it waits with.
  const [read = -1, write = -1] = ops.pipe();
  await Promise.all([ops.read(read, 1), ops.write(write, ops.utf8Encode("x"))]);
  const limit = ["prlimit", `--pid=${ops.getpid()}`, "--nofile=3:100"];
  equal(await runProgram("/usr/bin/prlimit", limit), { code: 0, text: "" });
  await fails(() => ops.pipe(), "EMFILE", "pipe2");
  await fails(() => ops.eventfd(), "EMFILE", "eventfd");
  await fails(() => ops.memfd("x", false), "EMFILE", "memfd_create", "x");
  await fails(() => ops.openPty(), "EMFILE");
  await fails(() => ops.memoryUse(), "EMFILE", "open", "/proc/self/status");
  return 0;
});

test("a process that may open no more descriptors is EMFILE", async () => {
  equal(await outcomeOf(startChild("crowded")), { code: 0, text: "" });
});

test("a child has the signals' defaults back that we ignore", async () => {
  // Not ourselves as the child: every program of ours ignores SIGPIPE from its start on.
  const spawned = ops.spawn({ path: "/bin/sleep", argv: ["sleep", "60"], env: [], fds: [] });
  using pidfd = new Fd(spawned.pidfd);
  ops.pidfdSendSignal(pidfd.number, SIG.SIGPIPE);
  equal(await ops.waitPidfd(pidfd.number), { pid: spawned.pid, signal: SIG.SIGPIPE });
});

ownTest("a name that no bundle has is one line and status 64", async () => {
  const [read = -1, write = -1] = ops.pipe();
  using printed = new Fd(read);
  const fds = [{ from: write, to: 2 }];
  const spawned = ops.spawn({ path: "/proc/self/exe", argv: ["/x/kata-nonsense", "a"], env: [], fds });
  ops.close(write);
  using pidfd = new Fd(spawned.pidfd);
  equal((await ops.waitPidfd(pidfd.number)).code, 64);
  const text = await readAll(printed.number);
  ok(/^kata-nonsense: no program of that name[^\n]*\n$/.test(text), text);
});

child("without-proc", async (path) => {
  ops.mount("", "/", "", MS.REC | MS.PRIVATE, "");
  ops.umount("/proc", MNT.DETACH);
  const argv = ["engine-tests", "--child", "says"];
  const spawned = ops.spawn({ path, argv, env: [], fds: [{ from: 1, to: 1 }] });
  return (await ops.waitPidfd(spawned.pidfd)).code ?? 1;
});
child("says", () => {
  console.log(mappedStack(new Error("x")).split("\n")[0]);
  return 0;
});

ownTest("a program finds its bundle and source map where /proc is not mounted", async () => {
  const path = ops.readlink("/proc/self/exe");
  const { code, text } = await outcomeOf(startChild("without-proc", path, { unshare: CLONE.NEWNS }));
  equal(code, 0);
  ok(text.includes("packages/sys/src/engine-tests/engine.ts:"), text);
});
