import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { run } from "../harness/process.ts";
import { configurationFile, kataRuntime, writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
const directory = runtime.scratch.join("etc");
const file = `${directory}/configuration.toml`;

beforeEach(() => {
  mkdirSync(directory, { recursive: true });
  runtime.configuration = writeConfiguration(file, {});
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  runtime.configuration = configurationFile;
});

function dropIn(name: string, text: string): string {
  mkdirSync(`${directory}/config.d`, { recursive: true });
  const path = `${directory}/config.d/${name}`;
  writeFileSync(path, text);
  return path;
}

async function runOf(...args: string[]): Promise<string> {
  const bundle = runtime.bundle({ args });
  return (await runtime.ok(["run", "--bundle", bundle, runtime.newId()])).trim();
}

describe("create refuses, with the line,", () => {
  const refusal = async () => {
    const ended = await runtime.kata(["create", "--bundle", runtime.bundle(), runtime.newId()]);
    expect(ended.status).toBe(1);
    expect(findTraces(runtime.traces())).toEqual([]);
    return ended.stderr;
  };

  it("what is no TOML", async () => {
    writeFileSync(file, "[runtime]\n\nenable_debug = = true\n");
    expect(await refusal()).toMatch(new RegExp(`^kata-runtime: ${file}:3:\\d+: not TOML: [^\\n]+\\n$`));
  });

  it("an unknown key in a drop-in, naming the nearest", async () => {
    const path = dropIn("10-x.toml", "# a comment\n[hypervisor.qemu]\ndefault_memry = 512\n");
    expect(await refusal()).toBe(
      `kata-runtime: ${path}:3: unknown key "default_memry" in [hypervisor.qemu] (did you mean "default_memory"?)\n`,
    );
  });

  it("a key that only upstream has, with the reason", async () => {
    const path = dropIn("image.toml", "[hypervisor.qemu]\nimage = '/image'\n");
    expect(await refusal()).toContain(`${path}:2: key "image" of [hypervisor.qemu] is not supported: `);
  });

  it("a file that others can write", async () => {
    chmodSync(file, 0o666);
    expect(await refusal()).toBe(
      `kata-runtime: the configuration ${file}: others can write it (chmod go-w ${file})\n`,
    );
  });
});

describe("a configuration that breaks while a container runs", () => {
  it.each([
    ["no TOML", () => writeFileSync(file, "= nonsense")],
    ["gone", () => rmSync(directory, { recursive: true })],
  ])("(%s) does not keep it from state, list, exec, kill and delete", async (_, spoil) => {
    const id = await runtime.start();
    spoil();
    expect((await runtime.state(id)).status).toBe("running");
    expect(await runtime.ok(["list", "--quiet"])).toBe(`${id}\n`);
    expect(await runtime.ok(["exec", id, "echo", "here"])).toBe("here\n");
    await runtime.ok(["kill", id, "KILL"]);
    await runtime.ok(["delete", "--force", id]);
    expect(findTraces(runtime.traces())).toEqual([]);
    mkdirSync(directory, { recursive: true });
  });
});

describe("in the guest one sees", () => {
  it("vCPUs, from the last drop-in that sets them", async () => {
    dropIn("10-one.toml", "[hypervisor.qemu]\ndefault_vcpus = 1\n");
    dropIn("20-two.toml", "[hypervisor.qemu]\ndefault_vcpus = 2\n");
    expect(await runOf("nproc")).toBe(String(Math.min(2, availableParallelism())));
  });

  it("all of the host's CPUs with -1", async () => {
    dropIn("all.toml", "[hypervisor.qemu]\ndefault_vcpus = -1\n");
    expect(await runOf("nproc")).toBe(String(availableParallelism()));
  });

  it("kernel parameters, and a pipe size for the agent", async () => {
    dropIn(
      "kernel.toml",
      "[hypervisor.qemu]\nkernel_params = 'kata.test=1'\n[agent.kata]\ncontainer_pipe_size = 4096\n",
    );
    const words = (await runOf("cat", "/proc/cmdline")).split(" ");
    expect(words).toContain("kata.test=1");
    expect(words).toContain("agent.container_pipe_size=4096");
  });

  it("a CPU without the feature that was taken away, on memory taken at the start", async () => {
    const flags = ["grep", "-o", "-m1", "-w", "sse4_1", "/proc/cpuinfo"];
    expect(await runOf(...flags)).toBe("sse4_1");
    dropIn("cpu.toml", "[hypervisor.qemu]\ncpu_features = '-sse4.1'\nenable_mem_prealloc = true\n");
    expect(await runOf("sh", "-c", `${flags.join(" ")} || echo none`)).toBe("none");
  });

  it("a share with another queue, cache and entropy, under other firmware", async () => {
    dropIn(
      "share.toml",
      "[hypervisor.qemu]\nvirtio_fs_queue_size = 128\nvirtio_fs_cache = 'never'\nentropy_source = '/dev/random'\nfirmware = '/usr/share/seabios/bios-256k.bin'\n",
    );
    expect(await runOf("sh", "-c", "echo there > /tmp/x && cat /tmp/x")).toBe("there");
  });
});

it("enable_debug keeps the guest's console in the daemon's log", async () => {
  dropIn("debug.toml", "[hypervisor.qemu]\nenable_debug = true\n");
  const id = await runtime.start();
  const log = `${runtime.root}/${id}/daemon.log`;
  expect(readFileSync(log, "utf8")).toMatch(/Run \/init as init process.*subsystem=console/);
  await runtime.ok(["delete", "--force", id]);
});

it("with runtime's enable_debug the daemon logs each call and its outcome", async () => {
  dropIn("debug.toml", "[runtime]\nenable_debug = true\n");
  const id = await runtime.start();
  expect((await runtime.kata(["start", id])).status).toBe(1);
  const log = readFileSync(`${runtime.root}/${id}/daemon.log`, "utf8");
  expect(log).toMatch(/msg=answered .*method=Start/);
  expect(log).toMatch(/msg=refused .*method=Start.*reason="[^"]*already running/);
  await runtime.ok(["delete", "--force", id]);
});

it("the environment's file is taken when none is named, and --config goes before it", async () => {
  appendFileSync(file, "\n[nonsense]\n");
  const args = ["--root", runtime.root, "create", "--bundle", runtime.bundle(), runtime.newId()];
  const env = { ...process.env, KATA_CONF_FILE: file };
  expect((await run(kataRuntime, args, { env })).stderr).toContain(`${file}:`);
  const named = ["--config", "/nowhere.toml", ...args];
  expect((await run(kataRuntime, named, { env })).stderr).toContain("open /nowhere.toml: ENOENT");
});
