import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Overrides } from "@kata-containers/config";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestNetwork } from "../harness/network.ts";
import { eventually, statusOf } from "../harness/process.ts";
import { testConfiguration, writeConfigurationFrom } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
let configurations = 0;
let server: ChildProcess | undefined;

interface Status {
  readonly cache?: {
    readonly pid: number;
    readonly vms: readonly { readonly pid: number; readonly proportionalMemoryBytes: number }[];
  };
}

const status = async (): Promise<Status> =>
  JSON.parse(await runtime.ok(["factory", "status", "--format", "json"]));
const idle = async (): Promise<number[]> => ((await status()).cache?.vms ?? []).map(({ pid }) => pid);
interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** All of the host's. */
function processes(): HostProcess[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return pids.flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      // proc(5): the command, in parentheses, may have any character.
      const [, , parent] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, ")").split(" ");
      return [{ pid, parent: Number(parent), words }];
    } catch {
      // It has ended.
      return [];
    }
  });
}

/** One that has ended and that its parent has not asked about has no words. */
const isThere = (pid: number) => processes().some((each) => each.pid === pid && each.words[0] !== "");
const warnings = () =>
  existsSync(runtime.log)
    ? readFileSync(runtime.log, "utf8")
        .split("\n")
        .filter((line) => line.includes("of the cache"))
    : [];

/** As many virtual machines as `count` are to wait. */
function configureCache(count: number, more: Overrides = {}): void {
  const number = configurations++;
  runtime.configuration = writeConfigurationFrom(
    testConfiguration(),
    runtime.scratch.join(`cache-${number}.toml`),
    {
      "hypervisor.qemu": { enable_annotations: ["default_memory"], ...more["hypervisor.qemu"] },
      factory: {
        vm_cache_number: count,
        vm_cache_endpoint: runtime.scratch.join(`${number}.sock`),
        enable_template: true,
        template_path: runtime.scratch.join("templates"),
      },
    },
  );
}

async function serveCache(count: number): Promise<void> {
  configureCache(count);
  server = runtime.spawn(["factory", "init"], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  server.stdout?.on("data", (chunk) => {
    said += chunk;
  });
  await eventually("a full cache", () => said === "vm factory initialized\n" || undefined, 60_000);
}

const full = (count: number, without = -1) =>
  eventually(
    "a full cache",
    async () => {
      const pids = await idle();
      return pids.length === count && !pids.includes(without) ? pids : undefined;
    },
    60_000,
  );
const gone = (pid: number) => eventually(`the end of process ${pid}`, () => !isThere(pid) || undefined);

let warningsBefore = 0;
beforeEach(() => {
  warningsBefore = warnings().length;
});

afterEach(async () => {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
  await runtime.ok(["factory", "destroy"]);
  expect(await statusOf(server)).toBe(0);
  server = undefined;
});

const newWarnings = () => warnings().slice(warningsBefore);

it("a sandbox takes a virtual machine that waits, with all that belongs to it, and another one is made", async () => {
  await serveCache(1);
  const [waiting = 0] = await idle();
  // More than what a guest that has run a container has touched, and less than it could.
  const [cost = 0] = (await status()).cache?.vms.map((vm) => vm.proportionalMemoryBytes >> 20) ?? [];
  expect([cost > 40, cost < 400], `${cost} MiB`).toEqual([true, true]);
  const id = await runtime.start({
    args: ["sh", "-c", "hostname; sleep 1000"],
    edit: (config) => {
      config.hostname = "adopted";
    },
  });
  expect(newWarnings()).toEqual([]);
  expect((await runtime.ok(["exec", id, "hostname"])).trim()).toBe("adopted");
  // What its virtual machine was asked before is not the sandbox's.
  const asked = (await runtime.ok(["metrics", id])).split("\n").filter((line) => line.includes("_count{"));
  expect(asked).toContainEqual(expect.stringMatching(/CreateContainerRequest"\} 1$/));
  expect(asked).not.toContainEqual(expect.stringContaining("DestroySandbox"));
  const record = JSON.parse(readFileSync(`${runtime.root}/${id}/persist.json`, "utf8"));
  const processes = record.resources.filter(({ kind }: { kind: string }) => kind === "process");
  expect(processes.map(({ identity }: { identity: { pid: number } }) => identity.pid)).toContain(waiting);
  for (const { identity } of processes)
    expect(readFileSync(`/proc/${identity.pid}/cgroup`, "utf8")).toMatch(/kata/);
  const [next] = await full(1);
  expect(next).not.toBe(waiting);
  await runtime.ok(["kill", id, "KILL"]);
  await eventually("its end", async () => (await runtime.state(id)).status === "stopped" || undefined);
  await runtime.ok(["delete", id]);
  expect(isThere(waiting)).toBe(false);
});

it("what was taken does not depend on the cache; what waits ends with it, also when it is killed", async () => {
  await serveCache(2);
  const before = await idle();
  const id = await runtime.start();
  const waiting = await full(2);
  const taken = before.find((pid) => !waiting.includes(pid)) ?? 0;
  server?.kill("SIGKILL");
  for (const pid of waiting) await gone(pid);
  expect(isThere(taken)).toBe(true);
  expect((await runtime.ok(["exec", id, "echo", "alive"])).trim()).toBe("alive");
  // Nobody serves the socket that is left: the next one starts its own, and says so.
  const other = await runtime.start();
  expect((await runtime.ok(["exec", other, "echo", "alive"])).trim()).toBe("alive");
  expect(newWarnings()).toEqual([expect.stringMatching(/nobody serves it \(kata-runtime factory init\)/)]);
  // Another server takes its place.
  const again = runtime.spawn(["factory", "init"], { stdio: ["ignore", "ignore", "inherit"] });
  server = again;
  await full(2);
});

it("a sandbox of another configuration starts its own", async () => {
  await serveCache(1);
  const [waiting = 0] = await idle();
  const { default_memory } = testConfiguration().hypervisor;
  const id = await runtime.start({
    edit: (config) => {
      config.annotations = {
        "io.katacontainers.config.hypervisor.default_memory": String(default_memory + 128),
      };
    },
  });
  expect(newWarnings()).toEqual([expect.stringContaining("another configuration")]);
  expect(await idle()).toEqual([waiting]);
  expect((await runtime.ok(["exec", id, "echo", "alive"])).trim()).toBe("alive");
});

it("a virtual machine that waited gets the sandbox's network and size", async () => {
  const network = await TestNetwork.open();
  try {
    network.connect("eth0", 63);
    await network.settled();
    await serveCache(1);
    const id = await runtime.start({
      edit: (config) => {
        for (const each of config.linux.namespaces)
          if (each.type === "network") each.path = network.inside.path;
        Object.assign(config.linux.resources, { memory: { limit: 256 << 20 } });
      },
    });
    expect(newWarnings()).toEqual([]);
    const addresses = await runtime.ok(["exec", id, "ip", "address", "show", "eth0"]);
    const onHost = network.inside.run("ip", "address", "show", "eth0");
    for (const [, address = ""] of onHost.matchAll(/(?:inet|link\/ether) (\S+)/g))
      expect(addresses).toContain(address);
    const memory = await runtime.ok(["exec", id, "grep", "MemTotal", "/proc/meminfo"]);
    const { default_memory } = testConfiguration().hypervisor;
    expect(Number(/\d+/.exec(memory)?.[0]) / 1024).toBeGreaterThan(default_memory + 200);
  } finally {
    await network.close();
  }
});

it("an idle virtual machine that dies is replaced, and the end of the cache ends all that wait", async () => {
  await serveCache(2);
  const [first = 0, second = 0] = await idle();
  process.kill(first, "SIGKILL");
  const pids = await full(2, first);
  expect(pids).toContain(second);
  server?.kill("SIGTERM");
  expect(await statusOf(server as ChildProcess)).toBe(0);
  for (const pid of pids) expect(isThere(pid)).toBe(false);
  expect((await status()).cache).toBeUndefined();
});

it("a server that is killed while it makes one leaves nothing of it", async () => {
  configureCache(2);
  const before = processes();
  server = runtime.spawn(["factory", "init"], { stdio: ["ignore", "ignore", "inherit"] });
  const started = () => {
    const now = processes().filter(({ pid }) => !before.some((each) => each.pid === pid));
    const daemon = now.find(({ words }) => words[1] === "--idle")?.pid;
    const vmm = now.find(({ words, parent }) => parent === daemon && /qemu/.test(words[0] ?? ""))?.pid;
    return daemon === undefined || vmm === undefined ? undefined : [daemon, vmm];
  };
  const pids = await eventually("a virtual machine that is being made", started, 30_000);
  // So that it is never made: what ends does not wait for it.
  process.kill(pids[1] ?? 0, "SIGSTOP");
  server.kill("SIGKILL");
  expect(await statusOf(server)).toBe(137);
  for (const pid of pids) await gone(pid);
  expect(started()).toBeUndefined();
});

it("an idle daemon that hangs is given up, and the sandbox starts its own", async () => {
  await serveCache(1);
  const [waiting = 0] = await idle();
  const daemon = processes().find(({ pid }) => pid === waiting)?.parent ?? 0;
  process.kill(daemon, "SIGSTOP");
  const id = await runtime.start();
  expect(newWarnings()).toEqual([expect.stringContaining("its daemon said nothing within 5 s")]);
  for (const pid of [daemon, waiting]) await gone(pid);
  expect((await runtime.ok(["exec", id, "echo", "alive"])).trim()).toBe("alive");
});

it("a configuration with enable_debug has no cache, and its sandboxes start their own", async () => {
  configureCache(1, { "hypervisor.qemu": { enable_debug: true } });
  const { status: refused, stderr } = await runtime.kata(["factory", "init"]);
  expect(refused).toBe(1);
  expect(stderr).toMatch(/vm_cache_number: enable_debug is set/);
  const id = await runtime.start();
  expect(newWarnings()).toEqual([expect.stringContaining("enable_debug is set")]);
  expect((await runtime.ok(["exec", id, "echo", "alive"])).trim()).toBe("alive");
});

it("a second server of one endpoint is refused", async () => {
  await serveCache(1);
  const second = await runtime.kata(["factory", "init"]);
  expect(second).toMatchObject({ status: 1, stdout: "" });
  expect(second.stderr).toMatch(/is served already\n$/);
});
