import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheServer } from "../harness/cache.ts";
import { cellConfiguration, WAITING } from "../harness/cells.ts";
import { type Cell, otherCells } from "../harness/matrix.mjs";
import { writeConfiguration } from "../harness/programs.ts";
import { useSharedRuntime } from "../harness/runtime.ts";
import { SAID, saidBy } from "../harness/templates.ts";

/** Vendor and device id of the chipset: 82441FX of the i440FX, 82G33 of the Q35. */
const chipset = { pc: "0x8086 0x1237", q35: "0x8086 0x29c0" };

// The default cell has all the other suites.
describe.each(otherCells)("$name", (cell: Cell) => {
  const runtime = useSharedRuntime();
  let id = "";
  let volume = "";

  const sh = (script: string) => runtime.ok(["exec", id, "sh", "-c", script]);

  let cache: CacheServer | undefined;
  afterAll(() => cache?.[Symbol.asyncDispose]());

  beforeAll(async () => {
    const keys = cellConfiguration(cell);
    runtime.configuration = writeConfiguration(runtime.scratch.join("c.toml"), {
      ...keys,
      runtime: { ...keys.runtime, enable_debug: true },
    });
    if (cell.factory === "cache") cache = await CacheServer.start(runtime.configuration, WAITING);
    volume = runtime.scratch.join("volume");
    mkdirSync(volume);
    writeFileSync(`${volume}/file`, "from the host\n");
    id = await runtime.start({
      mounts: [{ type: "bind", source: volume, destination: "/data", options: ["rbind", "rw"] }],
      edit: (config) => {
        config.linux.resources.pids.limit = 64;
        config.linux.resources.memory = { limit: 64 << 20 };
      },
    });
  });

  it("runs a container under a kernel of its own, and passes on its exit status", async () => {
    const bundle = runtime.bundle({ args: ["sh", "-c", "uname -r; exit 7"] });
    const ended = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
    expect(ended).toMatchObject({ status: 7, stderr: "" });
    expect(ended.stdout.trim()).not.toBe(release());
  });

  it("is the machine and the kernel that were asked for", async () => {
    const ids = await sh("cd /sys/bus/pci/devices/0000:00:00.0 && echo $(cat vendor device)");
    expect(ids.trim()).toBe(chipset[cell.machine]);
    const loadsModules = await sh("[ -e /proc/modules ] && echo yes || echo no");
    expect(loadsModules.trim()).toBe(cell.kernel === "debian" ? "yes" : "no");
    const port = await sh("ls /sys/class/virtio-ports 2>/dev/null | wc -l");
    expect(port.trim()).toBe(cell.channel === "virtio-serial" ? "1" : "0");
    expect(saidBy(runtime, id).filter((line) => line.includes(SAID.copied))).toHaveLength(
      cell.factory === "template" ? 1 : 0,
    );
    expect(readFileSync(runtime.log, "utf8")).not.toContain("of the cache is taken");
  });

  it("says what a container's state is", async () => {
    expect(await runtime.state(id)).toMatchObject({ id, status: "running" });
  });

  it("passes bytes through stdin and stdout", async () => {
    const input = Buffer.alloc(1 << 20, "0123456789abcdef\n").toString();
    const { status, stdout } = await runtime.kata(["exec", id, "cat"], { input });
    expect(status).toBe(0);
    expect(stdout === input).toBe(true);
  });

  it("keeps stderr apart", async () => {
    const ended = await runtime.kata(["exec", id, "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(ended).toEqual({ status: 3, stdout: "out\n", stderr: "err\n" });
  });

  it("shares a volume both ways", async () => {
    expect(await sh("cat /data/file; echo from the guest > /data/new")).toBe("from the host\n");
    expect(readFileSync(`${volume}/new`, "utf8")).toBe("from the guest\n");
  });

  it("has FIFOs and device nodes in its root file system", async () => {
    const fifo = "mkfifo /tmp/f && (echo through > /tmp/f & cat /tmp/f)";
    expect(await sh(`${fifo} && mknod /tmp/n c 1 3 && stat -c %t,%T /tmp/n`)).toBe("through\n1,3\n");
  });

  it("holds a container to its limits", async () => {
    expect(await sh("cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max")).toBe(`64\n${64 << 20}\n`);
  });

  it("delivers signals", async () => {
    const victim = await runtime.start({
      args: ["sh", "-c", "trap 'exit 5' TERM; touch /tmp/ready; while :; do sleep 0.1; done"],
    });
    // Before its trap it is a first process that does not catch the signal: the kernel drops it.
    await expect
      .poll(async () => (await runtime.kata(["exec", victim, "test", "-e", "/tmp/ready"])).status)
      .toBe(0);
    await runtime.ok(["kill", victim, "TERM"]);
    await expect.poll(async () => (await runtime.state(victim)).status).toBe("stopped");
    await runtime.ok(["delete", victim]);
  });

  it("ends with its container", async () => {
    await runtime.ok(["kill", id, "KILL"]);
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    await runtime.ok(["delete", id]);
  });
});
