import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { type Ended, eventually, run } from "../harness/process.ts";
import { configurationFile, writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

/** What a command takes beside the time-out it ends by, on a busy machine. */
const MARGIN_S = 40;

afterEach(() => {
  runtime.configuration = configurationFile;
});

/** One line on standard error that names the thing, nothing on standard output, and nothing left on the host. */
function expectRefused(ended: Ended, text: string | RegExp, status = 1): void {
  expect(ended.status, ended.stderr).toBe(status);
  expect(ended.stdout).toBe("");
  expect(ended.stderr).toMatch(/^kata-runtime: [^\n]+\n$/);
  if (typeof text === "string") expect(ended.stderr).toContain(text);
  else expect(ended.stderr).toMatch(text);
  expect(findTraces(runtime.traces())).toEqual([]);
}

/** Ends before agent.kata.dial_timeout has passed (60 s, where a test sets no other): the harness kills what takes longer. */
const create = (bundle: string, id = runtime.newId()) => runtime.kata(["create", "--bundle", bundle, id]);

function configure(changes: Parameters<typeof writeConfiguration>[1]): void {
  runtime.configuration = writeConfiguration(runtime.scratch.join("configuration.toml"), changes);
}

describe("a bad bundle is refused:", () => {
  it("no bundle", async () => {
    expectRefused(await create("/nowhere"), "bundle /nowhere: no such file or directory");
  });

  it("no config.json", async () => {
    const bundle = runtime.bundle();
    rmSync(`${bundle}/config.json`);
    expectRefused(await create(bundle), `JSON specification file ${bundle}/config.json not found`);
  });

  it("config.json that is no JSON", async () => {
    const bundle = runtime.bundle();
    writeFileSync(`${bundle}/config.json`, "{ ociVersion: ");
    expectRefused(await create(bundle), `${bundle}/config.json: is not JSON`);
  });

  it("config.json that is a FIFO", async () => {
    const bundle = runtime.bundle();
    rmSync(`${bundle}/config.json`);
    execFileSync("mkfifo", [`${bundle}/config.json`]);
    expectRefused(await create(bundle), `${bundle}/config.json: is not a regular file`);
  });

  it.each([
    ["/proc/self/ns/uts", "/proc/self/ns/uts is no ipc namespace"],
    ["/etc/hostname", "/etc/hostname is no ipc namespace"],
    ["/nowhere/ipc", "open /nowhere/ipc: ENOENT"],
  ])("an ipc namespace that is %s", async (path, text) => {
    const bundle = runtime.bundle({
      edit: ({ linux }) => {
        linux.namespaces = [{ type: "mount" }, { type: "ipc", path }];
      },
    });
    expectRefused(await create(bundle), `linux.namespaces: ipc: ${text}`);
  });

  it("config.json without a process", async () => {
    const bundle = runtime.bundle({ edit: (config) => Reflect.deleteProperty(config, "process") });
    expectRefused(await create(bundle), `${bundle}/config.json: process: is missing`);
  });

  it("the host's network namespace", async () => {
    const bundle = runtime.bundle({
      edit: ({ linux }) => {
        linux.namespaces[1] = { type: "network", path: "/proc/self/ns/net" };
      },
    });
    expectRefused(await create(bundle), "network namespace /proc/self/ns/net: is the host's");
  });

  it("no rootfs", async () => {
    const bundle = runtime.bundle();
    rmSync(`${bundle}/rootfs`, { recursive: true });
    expectRefused(await create(bundle), `rootfs ${bundle}/rootfs: no such file or directory`);
  });
});

describe("a bad id is refused:", () => {
  it.each([
    ["empty", "", "container id cannot be empty"],
    ["..", "..", "invalid container ID format"],
    ["with a slash", "a/b", "invalid container ID format"],
    ["of 256 bytes", "a".repeat(256), "invalid container ID format: 256 bytes, the limit is 255"],
  ])("%s", async (_, id, text) => {
    expectRefused(await create(runtime.bundle(), id), text);
  });

  it.each(["..", "a/b", "a".repeat(256)])("%s, which no container can have, is unknown", async (id) => {
    expectRefused(await runtime.kata(["state", id]), `container "${id}" does not exist`);
  });

  it("in use", async () => {
    const id = await runtime.create();
    const ended = await create(runtime.bundle(), id);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toBe(`kata-runtime: container with given ID already exists: ${id}\n`);
    expect((await runtime.state(id)).status).toBe("created");
  });

  it.each(["state", "start", "kill", "delete", "exec"])("unknown to %s", async (command) => {
    expectRefused(await runtime.kata([command, "nobody"]), 'container "nobody" does not exist');
  });
});

describe("a command that cannot run is told as docker and podman expect:", () => {
  const runOf = (...args: string[]) =>
    runtime.kata(["run", "--bundle", runtime.bundle({ args }), runtime.newId()]);

  it("not found: 127", async () => {
    expectRefused(
      await runOf("no-such-command"),
      'exec: "no-such-command": executable file not found in $PATH',
      127,
    );
  });

  it("not found by its path: 127", async () => {
    expectRefused(await runOf("/no/such"), /exec: "\/no\/such": .*no such file or directory/, 127);
  });

  it("not executable: 126", async () => {
    expectRefused(await runOf("/etc/passwd"), /exec: "\/etc\/passwd": .*permission denied/, 126);
  });

  it("not found, by create: 1", async () => {
    const ended = await create(runtime.bundle({ args: ["no-such-command"] }));
    expectRefused(ended, "executable file not found in $PATH");
  });
});

describe("a broken installation is told:", () => {
  it.each([
    ["kernel", "kernel"],
    ["initrd", "initrd"],
    ["QEMU", "path"],
    ["virtiofsd", "virtio_fs_daemon", 'or set shared_fs = "virtio-9p"'],
  ])("%s missing", async (_, key, advice = "") => {
    configure({ "hypervisor.qemu": { [key]: "/nowhere/file" } });
    const ended = await create(runtime.bundle());
    expectRefused(ended, `/nowhere/file: no such file (key ${key} of [hypervisor.qemu]`);
    expectRefused(ended, advice);
  });

  it("a kernel that is none", async () => {
    const kernel = runtime.scratch.join("vmlinux");
    writeFileSync(kernel, "this is no kernel\n".repeat(100));
    configure({ "hypervisor.qemu": { kernel } });
    expectRefused(
      await create(runtime.bundle()),
      new RegExp(`cannot start VM: QEMU ended: .*kernel ${kernel},`),
    );
  });

  it("an initrd that is none", async () => {
    const initrd = runtime.scratch.join("initrd.img");
    writeFileSync(initrd, "this is no initrd\n".repeat(100));
    configure({ "hypervisor.qemu": { initrd }, "agent.kata": { dial_timeout: 30 } });
    const ended = await create(runtime.bundle());
    expectRefused(ended, initrd);
    // Why, in the words of the guest's kernel on its console.
    expect(ended.stderr).toMatch(/QEMU ended: Kernel panic - not syncing: /);
  });

  it("an agent that never answers, within the configured time-out", async () => {
    // A guest that sleeps in its init: the kernel runs and speaks, nobody speaks on the channel.
    configure({
      "hypervisor.qemu": { kernel_params: "rdinit=/kata-launch panic=0 loglevel=7" },
      "agent.kata": { dial_timeout: 5 },
    });
    const begun = Date.now();
    const ended = await create(runtime.bundle());
    const seconds = (Date.now() - begun) / 1000;
    expectRefused(
      ended,
      /the agent did not answer within 5 s \(agent\.kata\.dial_timeout\); last heard: [^[\s]/,
    );
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThan(5 + MARGIN_S);
  });

  it("a QEMU that dies while the guest boots", async () => {
    // A guest whose agent never comes up: QEMU is there until somebody kills it.
    configure({ "hypervisor.qemu": { kernel_params: "rdinit=/kata-launch panic=0" } });
    const creating = create(runtime.bundle());
    const pid = await eventually("QEMU runs", () => {
      const line = findTraces(runtime.traces()).find((trace) => trace.includes("qemu-system"));
      return /^process (\d+)/.exec(line ?? "")?.[1];
    });
    process.kill(Number(pid), "SIGKILL");
    expectRefused(await creating, "cannot start VM: QEMU ended");
  });

  it("a QEMU that ends at once", async () => {
    const fake = runtime.scratch.join("ends-at-once");
    copyFileSync("/bin/false", fake);
    configure({ "hypervisor.qemu": { path: fake } });
    expectRefused(await create(runtime.bundle()), /cannot start VM: QEMU ended \(kernel /);
  });

  it("a QEMU that is no program", async () => {
    const fake = runtime.scratch.join("no-program");
    writeFileSync(fake, "no program\n", { mode: 0o755 });
    configure({ "hypervisor.qemu": { path: fake } });
    expectRefused(await create(runtime.bundle()), /cannot start QEMU: .*exec/);
  });

  it("a configuration with an unknown key", async () => {
    runtime.configuration = runtime.scratch.join("unknown.toml");
    writeFileSync(runtime.configuration, "[hypervisor.qemu]\nkernal = '/x'\n");
    expectRefused(
      await create(runtime.bundle()),
      'unknown key "kernal" in [hypervisor.qemu] (did you mean "kernel"?)',
    );
  });
});

describe("a bad state directory is told:", () => {
  it("read-only", async () => {
    const directory = runtime.scratch.join("read-only");
    mkdirSync(directory);
    await run("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", directory]);
    try {
      const args = ["--root", `${directory}/state`, "create", "--bundle", runtime.bundle(), runtime.newId()];
      expectRefused(await runtime.kata(args), /read-only/i);
    } finally {
      await run("umount", [directory]);
    }
  });

  it("full", async () => {
    const directory = runtime.scratch.join("full");
    mkdirSync(directory);
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
    try {
      await run("dd", ["if=/dev/zero", `of=${directory}/fill`, "bs=1k"]);
      const args = ["--root", `${directory}/state`, "create", "--bundle", runtime.bundle(), runtime.newId()];
      expectRefused(await runtime.kata(args), /no space left/i);
    } finally {
      await run("umount", [directory]);
    }
  });
});

describe("bad usage is refused by name:", () => {
  it.each([
    [["bogus"], 'Invalid command "bogus"'],
    [["--no-such-global", "list"], "unknown option --no-such-global"],
    [["create", "--no-such", "x"], "create: unknown option --no-such"],
    [["--log-format", "xml", "list"], 'unknown log-format "xml"'],
    [["state"], "state: ID is missing"],
    [["list", "x"], 'list: unexpected argument "x"'],
  ])("%j", async (args, text) => {
    expectRefused(await runtime.kata(args), text);
  });
});
