import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { onOwnTerminal, sayingSizes, talkOnConsole } from "../harness/console.ts";
import { findTraces } from "../harness/leaks.ts";
import { sha256Of, statusOf } from "../harness/process.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

describe("stdio", () => {
  it("comes and goes by pipes, stdout and stderr apart, to the last byte", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", "cat; echo error >&2; printf end"] });
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()], { input: "input\n" });
    expect(ended).toEqual({ status: 0, stdout: "input\nend", stderr: "error\n" });
  });

  it("comes and goes by files", async () => {
    const input = runtime.scratch.join("in");
    const output = runtime.scratch.join("out");
    writeFileSync(input, "from a file\n");
    const bundle = runtime.bundle({ args: ["tr", "a-z", "A-Z"] });
    const fds = [openSync(input, "r"), openSync(output, "w")];
    const child = runtime.spawn(["run", "--bundle", bundle, runtime.newId()], { stdio: [...fds, "inherit"] });
    expect(await statusOf(child)).toBe(0);
    for (const fd of fds) closeSync(fd);
    expect(readFileSync(output, "utf8")).toBe("FROM A FILE\n");
  });

  it("may be /dev/null on all sides", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", "cat; echo lost; echo lost >&2; exit 4"] });
    const child = runtime.spawn(["run", "--bundle", bundle, runtime.newId()], { stdio: "ignore" });
    expect(await statusOf(child)).toBe(4);
  });

  it("ends for the process when the caller's stdin ends", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", "wc -c"] });
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()], {
      input: randomBytes(100_000),
    });
    expect(ended.stdout.trim()).toBe("100000");
  });
});

describe("a terminal", () => {
  it("is the caller's own in run: raw, sized as the caller's, and restored afterwards", async () => {
    const bundle = runtime.bundle({
      terminal: true,
      args: ["sh", "-c", "tty >/dev/null && echo is a tty; stty size; read line; echo got:$line; exit 6"],
    });
    const text = await onOwnTerminal(runtime, ["run", "--bundle", bundle, runtime.newId()]);
    // What script(1) types before the terminal is raw is echoed, in the middle of any line.
    expect(text).toContain("is a tty\n");
    expect(text).toContain("41 97\n");
    expect(text).toContain("got:hello\n");
    expect(text).toContain("status:6\n");
    expect(text).toMatch(/\nicanon\n$/);
  });

  it("goes to the console socket in create, and resizing it resizes the guest's", async () => {
    const bundle = runtime.bundle({ terminal: true, args: sayingSizes });
    const id = runtime.newId();
    const ended = await talkOnConsole(
      runtime,
      (socket) => ["create", "--bundle", bundle, "--console-socket", socket, id],
      ["start", id],
    );
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout.replaceAll("\r", "")).toContain("30 100");
  });

  it("needs a console socket when nobody stays, in runc's words", async () => {
    const bundle = runtime.bundle({ terminal: true });
    const { status, stderr } = await runtime.kata(["create", "--bundle", bundle, runtime.newId()]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "cannot allocate tty if kata-runtime will detach without setting console socket",
    );
  });
});

const GIB = 1 << 30;

describe("one GiB", () => {
  it("goes through a container's stdin and stdout without losing a byte", { timeout: 600_000 }, async () => {
    const bundle = runtime.bundle({ args: ["cat"] });
    const child = runtime.spawn(["run", "--bundle", bundle, runtime.newId()], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new Error("no pipes");
    const block = randomBytes(1 << 20);
    const sent = createHash("sha256");
    const write = async () => {
      for (let at = 0; at < GIB; at += block.length) {
        block.writeUInt32LE(at / block.length, 0);
        const copy = Buffer.from(block);
        sent.update(copy);
        if (!stdin.write(copy)) await new Promise((resolve) => stdin.once("drain", resolve));
      }
      stdin.end();
    };
    const [received] = await Promise.all([sha256Of(stdout), write()]);
    expect(await statusOf(child)).toBe(0);
    expect(received).toEqual({ bytes: GIB, sha256: sent.digest("hex") });
  });
});

describe("files", () => {
  it("that a process hands to its stdout as pages, whole or in any parts, come unchanged, and stay so", async () => {
    const MIB = 1 << 20;
    const OFFSET = 4097;
    const data = randomBytes(3 * MIB + 12_345);
    // cat: sendfile(2), which puts the page cache's own pages into the pipe; /dev/shm keeps the only copy of its pages.
    const script = `cp /data /dev/shm/data
      cat /data /dev/shm/data
      dd if=/dev/shm/data bs=5000 2> /dev/null
      tail -c +${OFFSET + 1} /data
      for n in 1 2 3; do cat /dev/shm/data; done
      cat /data`;
    const bundle = runtime.bundle({ args: ["sh", "-c", script] });
    writeFileSync(join(bundle, "rootfs/data"), data);
    const child = runtime.spawn(["run", "--bundle", bundle, runtime.newId()], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.stdout === null) throw new Error("no pipe");
    const received = await sha256Of(child.stdout);
    expect(await statusOf(child)).toBe(0);
    const expected = Buffer.concat([data, data, data, data.subarray(OFFSET), data, data, data, data]);
    expect(received).toEqual({
      bytes: expected.length,
      sha256: createHash("sha256").update(expected).digest("hex"),
    });
    expect(readFileSync(join(bundle, "rootfs/data")).equals(data)).toBe(true);
  });
});

/** What a process may grow by beside the blocks that are under way: KiB. */
const NOISE = 2048;
/** Blocks of output under way: two in the daemon, one in the agent, of 1 MiB. */
const OUTPUT_BLOCKS = 3 << 10;
/** Blocks of input under way: one read ahead in the daemon, one in the agent, of 256 KiB. */
const INPUT_BLOCKS = 2 << 8;

describe("a reader that stops", () => {
  it("stops the writer, and neither daemon nor agent, kata-shim nor kata-runtime grows", async () => {
    const bundle = runtime.bundle({ args: ["cat", "/dev/zero"] });
    const id = runtime.newId();
    const child = runtime.spawn(["run", "--bundle", bundle, id], { stdio: ["ignore", "pipe", "inherit"] });
    const { stdout } = child;
    if (stdout === null) throw new Error("no pipe");
    await new Promise((resolve) => stdout.once("readable", resolve));
    // Nobody reads from here on. What is in flight settles, then memory must be flat while the writer is blocked.
    await blocked(id);
    const before = await memory(id, child);
    for (let n = 0; n < 3; n++) await runtime.ok(["exec", id, "true"]);
    await blocked(id);
    expectNoGrowth(before, await memory(id, child), NOISE);
    let bytes = 0;
    stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await expect.poll(() => bytes, { timeout: 30_000 }).toBeGreaterThan(64 << 20);
    expectNoGrowth(before, await memory(id, child), NOISE + OUTPUT_BLOCKS);
  });
});

describe("a container that does not read its stdin", () => {
  it("stops whoever feeds it, and neither daemon nor agent, kata-shim nor kata-runtime grows", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", "read line; echo ready; exec sleep 1000"] });
    const id = runtime.newId();
    const child = runtime.spawn(["run", "--bundle", bundle, id], { stdio: ["pipe", "pipe", "inherit"] });
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new Error("no pipes");
    stdin.on("error", () => {});
    stdin.write("one line\n");
    await new Promise((resolve) => stdout.once("readable", resolve));
    const before = await memory(id, child);
    const zeros = Buffer.alloc(1 << 20);
    let fed = 0;
    const feed = () => {
      stdin.write(zeros, (error) => {
        if (error) return;
        fed += zeros.length;
        feed();
      });
    };
    feed();
    await settled(() => fed);
    await blocked(id);
    // In pipes and blocks; the rest is still the caller's.
    expect(fed).toBeLessThan(8 << 20);
    expectNoGrowth(before, await memory(id, child), NOISE + INPUT_BLOCKS);
    // It holds nobody else up.
    await runtime.ok(["exec", id, "true"]);
    stdin.destroy();
  });
});

type Memory = Readonly<Record<"daemon" | "kata-shim" | "kata-runtime" | "agent", number>>;

/** Resident memory of everybody a stream passes, KiB. */
async function memory(id: string, child: ChildProcess): Promise<Memory> {
  const agent = /^kata_agent_process_resident_memory_bytes (\d+)$/m.exec(
    await runtime.ok(["metrics", id]),
  )?.[1];
  const { pid } = await runtime.state(id);
  return {
    daemon: rssKb(daemonPid()),
    "kata-shim": rssKb(pid),
    "kata-runtime": rssKb(child.pid ?? 0),
    agent: Number(agent) / 1024,
  };
}

function expectNoGrowth(before: Memory, after: Memory, limit: number): void {
  for (const who of ["daemon", "kata-shim", "kata-runtime", "agent"] as const) {
    expect(after[who], who).toBeGreaterThan(0);
    expect(after[who] - before[who], who).toBeLessThan(limit);
  }
}

/** Resolves when the daemon has moved nothing for a while: whoever writes is blocked. */
async function blocked(id: string): Promise<void> {
  expect((await runtime.state(id)).status).toBe("running");
  await settled(() => Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${daemonPid()}/io`, "utf8"))?.[1]));
}

function daemonPid(): number {
  const line = findTraces(runtime.traces()).find((each) => each.includes("containerd-shim-kata-v2"));
  return Number(/^process (\d+)/.exec(line ?? "")?.[1]);
}

function rssKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** The value once it has stayed the same for a while. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  let same = 0;
  await expect
    .poll(
      () => {
        const now = value();
        same = now === last ? same + 1 : 0;
        last = now;
        return same;
      },
      { timeout: 30_000, interval: 100 },
    )
    .toBeGreaterThan(4);
  return last;
}
