import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { run } from "../harness/process.ts";
import { useSharedRuntime } from "../harness/runtime.ts";

const runtime = useSharedRuntime();
let pid: number;
let id: string;

beforeAll(async () => {
  const volume = runtime.scratch.join("volume");
  mkdirSync(volume);
  writeFileSync(`${volume}/file`, "volume\n");
  id = await runtime.start({
    mounts: [{ type: "bind", source: volume, destination: "/data", options: ["rbind"] }],
  });
  pid = (await runtime.state(id)).pid;
});

const enter = (namespaces: string, ...command: string[]) =>
  run("nsenter", [`--target=${pid}`, ...namespaces.split(" "), "--", ...command]);

describe("kata-shim, seen from the host", () => {
  it("has no namespace of the host's but the user namespace", () => {
    for (const name of ["pid", "ipc", "net", "mnt", "uts", "cgroup"]) {
      expect(readlinkSync(`/proc/${pid}/ns/${name}`), name).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    }
  });

  it("shows the container's files and volumes at /proc/PID/root, and nothing of the host", () => {
    const root = `/proc/${pid}/root`;
    expect(readFileSync(`${root}/data/file`, "utf8")).toBe("volume\n");
    expect(existsSync(`${root}/bin/busybox`)).toBe(true);
    expect(existsSync(`${root}/usr/bin`)).toBe(false);
    expect(existsSync(`${root}${runtime.scratch.path}`)).toBe(false);
    expect(readdirSync(`${root}/proc`)).toEqual([]);
  });

  it("has only the container's mounts, all nosuid and nodev", () => {
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    expect(mounts.map(([, , , , place]) => place)).toEqual(["/", "/data"]);
    for (const mount of mounts) expect(mount[5]).toMatch(/nosuid,nodev/);
  });

  it("leads nobody who joins its mount namespace to the host, whatever they try", async () => {
    const seen = await enter("--mount", "/bin/sh", "-c", "cd /../../..; ls; cat data/file; ls /proc | wc -l");
    expect(seen.stdout).toMatch(/\bdata\b[\s\S]*volume\n0\n$/);
    expect(seen.stdout).not.toMatch(/\busr\b/);
    const written = await enter("--mount", "/bin/sh", "-c", "echo x > /written");
    expect(written.status).toBe(0);
    expect(existsSync("/written")).toBe(false);
  });

  it("has no way to the host's devices or set-uid programs through its mounts", async () => {
    expect((await enter("--mount", "/bin/busybox", "mknod", "/disk", "c", "1", "5")).status).toBe(0);
    const read = await enter("--mount", "/bin/busybox", "dd", "if=/disk", "count=1", "of=/dev/null");
    expect(read.status).not.toBe(0);
  });

  it("has a network namespace without the host's interfaces", async () => {
    const { stdout } = await enter("--net", "cat", "/proc/net/dev");
    const names = stdout
      .split("\n")
      .slice(2)
      .map((line) => line.split(":")[0]?.trim())
      .filter(Boolean);
    const host = readFileSync("/proc/net/dev", "utf8");
    for (const name of names) if (name !== "lo") expect(host).not.toContain(`${name}:`);
  });

  it("is alone in its pid namespace", async () => {
    const found = readlinkSync(`/proc/${pid}/ns/pid`);
    const there = readdirSync("/proc").filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readlinkSync(`/proc/${name}/ns/pid`) === found;
      } catch {
        return false;
      }
    });
    expect(there).toEqual([String(pid)]);
  });

  it("holds its stdio, its connection, what its engine needs, and nothing else", () => {
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const files = targets.filter((target) => target.startsWith("/") && !target.startsWith("/dev/null"));
    // The engine keeps its own program file open, for the source map; /proc/PID/exe leads there as well.
    expect(files).toEqual([readlinkSync(`/proc/${pid}/exe`)]);
    expect(targets.filter((target) => target.startsWith("socket:")).length).toBeLessThanOrEqual(2);
  });

  it("has at most 3 MB of its own (PSS)", () => {
    const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
    expect(pss).toBeLessThanOrEqual(3 * 1024);
  });

  it("of an exec sees the same files, in the same namespaces", async () => {
    const pidFile = runtime.scratch.join("pid");
    const child = runtime.spawn(["exec", "--detach", "--pid-file", pidFile, id, "sleep", "1000"], {
      stdio: "ignore",
    });
    await new Promise((resolve) => child.on("exit", resolve));
    const other = readFileSync(pidFile, "utf8");
    for (const name of ["net", "mnt", "ipc", "uts", "cgroup"]) {
      expect(readlinkSync(`/proc/${other}/ns/${name}`), name).toBe(readlinkSync(`/proc/${pid}/ns/${name}`));
    }
    expect(readFileSync(`/proc/${other}/root/data/file`, "utf8")).toBe("volume\n");
  });

  it("takes the process with it when it is killed", async () => {
    process.kill(pid, "SIGKILL");
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  });
});
