import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  Any,
  BootstrapParams,
  BootstrapResult,
  CgroupV1Metrics,
  RuntimeOptions,
  Task,
  TaskStatus,
  TaskV3,
} from "@kata-containers/protocols";
import { describe, expect, test } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { eventually, run } from "../harness/process.ts";
import { testConfiguration, writeConfiguration } from "../harness/programs.ts";
import { processSpec, useShims } from "../harness/shim.ts";

const SIGUSR1 = 10;

const shims = useShims();

describe("a container's life", () => {
  test("start, create, start, wait, delete, shutdown: events in order, nothing left", async () => {
    const { id, bundle, shim, pid, output } = await shims.create({
      args: ["sh", "-c", "echo hello; exit 3"],
    });
    expect(readFileSync(join(bundle, "address"), "utf8")).toMatch(
      /^unix:\/\/\/run\/containerd\/s\/[0-9a-f]{64}$/,
    );
    expect(readFileSync(join(bundle, "shim.pid"), "utf8")).toBe(String(pid));
    expect(await shim.unary(Task.Connect, { id })).toMatchObject({ shimPid: pid, taskPid: pid });
    expect(await shim.unary(Task.State, { id })).toMatchObject({
      id,
      bundle,
      pid,
      status: TaskStatus.CREATED,
    });

    expect(await shim.unary(Task.Start, { id })).toEqual({ pid });
    const waiters = Array.from({ length: 5 }, () => shim.unary(Task.Wait, { id }));
    for (const exit of await Promise.all(waiters)) expect(exit.exitStatus).toBe(3);
    expect(await shim.unary(Task.State, { id })).toMatchObject({ status: TaskStatus.STOPPED, exitStatus: 3 });
    expect(await shim.unary(Task.Delete, { id })).toMatchObject({ pid, exitStatus: 3 });
    expect(output()).toBe("hello\n");
    await expect(shim.unary(Task.State, { id })).rejects.toMatchObject({ code: "NotFound" });
    await shim.unary(Task.Shutdown, { id });
    await eventually("the shim has left", () => (existsSync(`/proc/${pid}`) ? undefined : true));
    expect(shims.events()).toEqual(["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]);
    expect(findTraces(shims.traces())).toEqual([]);
    expect(existsSync(readFileSync(join(bundle, "address"), "utf8").slice("unix://".length))).toBe(false);
  });

  test("exec: the whole process spec, events, status; version 3 of the service is the same", async () => {
    const { id, bundle, shim } = await shims.run();
    const file = (name: string) => join(bundle, name);
    const exec = async (execId: string, args: readonly string[], more: object = {}) => {
      const spec = processSpec(args, more);
      await shim.unary(TaskV3.Exec, { id, execId, stdout: `file://${file(execId)}`, spec });
      await shim.unary(TaskV3.Start, { id, execId });
      const { exitStatus } = await shim.unary(TaskV3.Wait, { id, execId });
      await shim.unary(TaskV3.Delete, { id, execId });
      return { exitStatus, output: readFileSync(file(execId), "utf8") };
    };
    expect(await exec("plain", ["sh", "-c", "echo $A; exit 4"], { env: ["PATH=/bin", "A=b"] })).toEqual({
      exitStatus: 4,
      output: "b\n",
    });
    const limited = await exec(
      "limited",
      ["sh", "-c", "id -u; ulimit -n; grep -e CapEff -e NoNewPrivs /proc/self/status"],
      {
        user: { uid: 1000, gid: 1000 },
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 77, hard: 77 }],
        capabilities: { bounding: [], effective: [], permitted: [], inheritable: [] },
        noNewPrivileges: true,
      },
    );
    expect(limited.output).toBe("1000\n77\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
    await expect
      .poll(() => shims.events())
      .toEqual([
        "/tasks/create",
        "/tasks/start",
        ...["plain", "limited"].flatMap(() => ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"]),
      ]);
  });

  test("containerd 2.3's message to `start` is answered by one, which names version 3; options are not such a message", async () => {
    const container = shims.bundle();
    const params = { instanceId: container.id, namespace: shims.namespace, containerdVersion: "2.3.4" };
    const started = await shims.command("start", container, Buffer.from(BootstrapParams.encode(params)));
    const { version, protocol, address } = BootstrapResult.decode(Buffer.from(started.stdout));
    expect({ version, protocol }).toEqual({ version: 3, protocol: "ttrpc" });
    expect(address).toBe(readFileSync(join(container.bundle, "address"), "utf8"));
    const shim = shims.connect(address);
    await shim.unary(TaskV3.Shutdown, { id: container.id });
    const other = shims.bundle();
    const options = Any.encode({ typeUrl: "runtimeoptions.v1.Options", value: new Uint8Array(0) });
    const { stdout } = await shims.command("start", other, Buffer.from(options));
    expect(stdout).toBe(readFileSync(join(other.bundle, "address"), "utf8"));
    await shims.connect(stdout).unary(Task.Shutdown, { id: other.id });
  });

  test("a container of a pod is served by its sandbox's shim, and the pod goes on without it", async () => {
    const pod = await shims.run({ annotations: { "io.kubernetes.cri.container-type": "sandbox" } });
    const member = shims.bundle({
      args: ["sh", "-c", "echo member"],
      annotations: {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.sandbox-id": pod.id,
      },
      edit: (config) => {
        config.linux.namespaces = [{ type: "mount" }, { type: "network", path: `/proc/${pod.pid}/ns/net` }];
      },
    });
    const { stdout } = await shims.command("start", member);
    expect(stdout).toBe(readFileSync(join(pod.bundle, "address"), "utf8"));
    const output = join(member.bundle, "output");
    const swappy = shims.bundle({
      annotations: {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.sandbox-id": pod.id,
        "io.katacontainers.container.resource.swappiness": "1",
      },
    });
    await expect(pod.shim.unary(Task.Create, swappy)).rejects.toThrow(
      /swappiness = "1" is not supported: the guest has no swap/,
    );
    await pod.shim.unary(Task.Create, { ...member, stdout: `file://${output}` });
    await pod.shim.unary(Task.Start, { id: member.id });
    expect(await pod.shim.unary(Task.Wait, { id: member.id })).toMatchObject({ exitStatus: 0 });
    await pod.shim.unary(Task.Delete, { id: member.id });
    expect(readFileSync(output, "utf8")).toBe("member\n");
    await pod.shim.unary(Task.Shutdown, { id: member.id });
    expect(await pod.shim.unary(Task.State, { id: pod.id })).toMatchObject({ status: TaskStatus.RUNNING });
  });

  test("pause and resume, figures, limits", async () => {
    const { id, shim } = await shims.run();
    await shim.unary(Task.Pause, { id });
    expect(await shim.unary(Task.State, { id })).toMatchObject({ status: TaskStatus.PAUSED });
    await shim.unary(Task.Resume, { id });
    expect(await shim.unary(Task.State, { id })).toMatchObject({ status: TaskStatus.RUNNING });
    const { stats } = await shim.unary(Task.Stats, { id });
    expect(stats?.typeUrl).toBe("io.containerd.cgroups.v1.Metrics");
    const { memory, pids } = CgroupV1Metrics.decode(stats?.value ?? new Uint8Array());
    expect(memory?.usage?.usage).toBeGreaterThan(0);
    expect(pids?.current).toBe(1);
    const resources = {
      typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
      value: Buffer.from(JSON.stringify({ pids: { limit: 33 } })),
    };
    await shim.unary(Task.Update, { id, resources });
    const changed = CgroupV1Metrics.decode(
      (await shim.unary(Task.Stats, { id })).stats?.value ?? new Uint8Array(),
    );
    expect(changed.pids?.limit).toBe(33n);
  });

  test("hooks run on the host, beside the sandbox's network namespace", async () => {
    const log = shims.scratch.join("hooks");
    const hook = (name: string) => [
      {
        path: "/bin/sh",
        args: ["sh", "-c", `echo ${name} $(jq -r .pid) $(readlink /proc/self/ns/mnt) >> ${log}`],
        env: ["PATH=/usr/bin:/bin"],
      },
    ];
    const hooks = { prestart: hook("prestart"), poststart: hook("poststart"), poststop: hook("poststop") };
    const { id, shim, pid } = await shims.run({ args: ["true"], hooks });
    await shim.unary(Task.Wait, { id });
    await shim.unary(Task.Delete, { id });
    const own = await run("readlink", ["/proc/self/ns/mnt"]);
    const mounts = own.stdout.trim();
    expect(readFileSync(log, "utf8")).toBe(
      `prestart ${pid} ${mounts}\npoststart ${pid} ${mounts}\npoststop null ${mounts}\n`,
    );
  });
});

describe("broken callers get a status, and the sandbox goes on:", () => {
  test("what does not fit the state, and what is not there", async () => {
    const { id, bundle, shim } = await shims.create();
    const refuses = async (call: Promise<unknown>, code: string) => {
      await expect(call).rejects.toMatchObject({ code });
    };
    await refuses(shim.unary(Task.Create, { id, bundle }), "AlreadyExists");
    await refuses(shim.unary(Task.Create, { id: "other", bundle }), "InvalidArgument");
    await refuses(shim.unary(Task.Start, { id: "other" }), "NotFound");
    await refuses(shim.unary(Task.Start, { id, execId: "none" }), "NotFound");
    await refuses(shim.unary(Task.Kill, { id, execId: "none", signal: 9 }), "NotFound");
    await refuses(shim.unary(Task.ResizePty, { id, width: 80, height: 25 }), "FailedPrecondition");
    await refuses(shim.unary(Task.Checkpoint, { id }), "Unimplemented");
    await refuses(
      shim.unary(Task.Exec, { id, execId: "e", spec: { typeUrl: "x", value: new Uint8Array() } }),
      "InvalidArgument",
    );
    await refuses(shim.unary(Task.Exec, { id, execId: "", spec: processSpec(["true"]) }), "InvalidArgument");
    await refuses(shim.unary({ ...Task.State, method: "Nonesuch" }, { id }), "Unimplemented");

    await shim.unary(Task.Start, { id });
    await refuses(shim.unary(Task.Start, { id }), "FailedPrecondition");
    await refuses(shim.unary(Task.Delete, { id }), "FailedPrecondition");
    await shim.unary(Task.Shutdown, { id });
    await shim.unary(Task.Exec, { id, execId: "e", spec: processSpec(["sleep", "1000"]) });
    await refuses(shim.unary(Task.Exec, { id, execId: "e", spec: processSpec(["true"]) }), "AlreadyExists");
    await refuses(shim.unary(Task.Kill, { id, execId: "e", signal: 9 }), "FailedPrecondition");
    await shim.unary(Task.Start, { id, execId: "e" });
    await refuses(shim.unary(Task.Start, { id, execId: "e" }), "FailedPrecondition");
    await refuses(shim.unary(Task.Delete, { id, execId: "e" }), "FailedPrecondition");
    await shim.unary(Task.Kill, { id, execId: "e", signal: 9 });
    expect(await shim.unary(Task.Wait, { id, execId: "e" })).toMatchObject({ exitStatus: 137 });

    await shim.unary(Task.Kill, { id, signal: 9 });
    expect(await shim.unary(Task.Wait, { id })).toMatchObject({ exitStatus: 137 });
    await shim.unary(Task.Kill, { id, signal: 9 });
    await refuses(shim.unary(Task.Kill, { id, signal: 1 }), "NotFound");
  });

  test("bytes that are no ttRPC, a client that goes away in the middle of a call", async () => {
    const { id, bundle, shim } = await shims.run();
    const address = readFileSync(join(bundle, "address"), "utf8");
    const broken = shims.socket(address);
    broken.write(Buffer.alloc(64, 0xff));
    await new Promise((resolve) => broken.on("close", resolve));
    const gone = shims.connect(address);
    const waiting = gone.unary(Task.Wait, { id });
    waiting.catch(() => {});
    await gone.unary(Task.State, { id });
    gone.close();
    expect(await shim.unary(Task.State, { id })).toMatchObject({ status: TaskStatus.RUNNING });
  });

  test("a create that fails leaves nothing, and says why", async () => {
    const container = shims.bundle({ args: ["nonesuch"] });
    const shim = await shims.start(container);
    await expect(shim.unary(Task.Create, container)).rejects.toThrow(/executable file not found/);
    await eventually("nothing is left but the shim", () => {
      const left = findTraces(shims.traces()).filter((line) => !line.includes("kata-task"));
      return left.length === 0 ? true : undefined;
    });
    await expect(shim.unary(Task.Create, container)).rejects.toMatchObject({ code: "FailedPrecondition" });
    const wrong = shims.bundle();
    writeFileSync(join(wrong.bundle, "config.json"), "{");
    expect(await shims.command("start", wrong)).toMatchObject({ status: 1 });
  });
});

describe("annotations of a sandbox", () => {
  const QEMU = "io.katacontainers.config.hypervisor.";

  /** The runtime's options as CRI passes them, with a configuration that has these keys. */
  function optionsWith(keys: Readonly<Record<string, unknown>>): { readonly options: Any } {
    const { hypervisor, agent, runtime } = testConfiguration();
    const configPath = writeConfiguration(shims.scratch.join("options.toml"), {
      "hypervisor.qemu": { ...hypervisor, ...keys },
      "agent.kata": agent,
      runtime,
    });
    const value = RuntimeOptions.encode({ typeUrl: "", configPath, configBody: new Uint8Array() });
    return { options: { typeUrl: "runtimeoptions.v1.Options", value } };
  }

  test("change its configuration, as far as that of the runtime's options allows it", async () => {
    const { id, shim, output } = await shims.run(
      { args: ["cat", "/proc/cmdline"], annotations: { [`${QEMU}kernel_params`]: "kata.annotated=1" } },
      optionsWith({ enable_annotations: ["^kernel_params$"], kernel_params: "kata.options=1" }),
    );
    expect(await shim.unary(Task.Wait, { id })).toMatchObject({ exitStatus: 0 });
    expect(output()).toContain(" kata.options=1 kata.annotated=1");
  });

  test("that are not allowed are an error, and nothing is left but the shim", async () => {
    for (const [annotations, told] of [
      [{ [`${QEMU}default_memory`]: "512" }, "is not enabled: no pattern of enable_annotations"],
      [
        { "io.katacontainers.config_path": "/etc/passwd" },
        "is not allowed: no pattern of valid_config_paths",
      ],
    ] as const) {
      const container = shims.bundle({ annotations });
      const shim = await shims.start(container);
      const created = shim.unary(Task.Create, {
        ...container,
        ...optionsWith({ enable_annotations: ["vcpus"] }),
      });
      await expect(created).rejects.toMatchObject({
        code: "PermissionDenied",
        message: expect.stringContaining(told),
      });
      const left = () => findTraces(shims.traces()).filter((line) => !line.includes("kata-task"));
      await eventually("nothing is left", () => (left().length === 0 ? true : undefined));
    }
  });
});

describe("streams", () => {
  test("FIFOs: input until it is closed, output whole", async () => {
    const container = shims.bundle({ args: ["wc", "-c"] });
    const [stdin, stdout] = ["stdin", "stdout"].map((name) => join(container.bundle, name));
    await run("mkfifo", [stdin ?? "", stdout ?? ""]);
    const shim = await shims.start(container);
    await shim.unary(Task.Create, { ...container, stdin, stdout }, { timeoutMs: 60_000 });
    await shim.unary(Task.Start, { id: container.id });
    const counted = run("cat", [stdout ?? ""]);
    // A client that leaves is not the end of the input.
    for (let part = 0; part < 2; part++)
      await run("dd", ["if=/dev/zero", `of=${stdin}`, "bs=64k", "count=32"]);
    await shim.unary(Task.CloseIO, { id: container.id, stdin: true });
    expect(await shim.unary(Task.Wait, { id: container.id })).toMatchObject({ exitStatus: 0 });
    expect((await counted).stdout.trim()).toBe(String(2 * 32 * 65536));
  });

  test("stdin that is closed before the process was started ends when it has been read", async () => {
    const { id, bundle, shim } = await shims.run();
    const [stdin, output] = [join(bundle, "stdin"), join(bundle, "cat")];
    await run("mkfifo", [stdin]);
    const exec = { id, execId: "cat" };
    await shim.unary(Task.Exec, { ...exec, stdin, stdout: `file://${output}`, spec: processSpec(["cat"]) });
    await shim.unary(Task.CloseIO, { ...exec, stdin: true });
    const typed = run("sh", ["-c", `echo typed > ${stdin}`]);
    await shim.unary(Task.Start, exec);
    await typed;
    expect(await shim.unary(Task.Wait, exec)).toMatchObject({ exitStatus: 0 });
    expect(readFileSync(output, "utf8")).toBe("typed\n");
  });

  test("a FIFO that nobody reads stops the process, not its end, nor its removal", async () => {
    const container = shims.bundle({ args: ["dd", "if=/dev/zero", "bs=1M", "count=64"] });
    const stdout = join(container.bundle, "stdout");
    await run("mkfifo", [stdout]);
    const shim = await shims.start(container);
    await shim.unary(Task.Create, { ...container, stdout }, { timeoutMs: 60_000 });
    await shim.unary(Task.Start, { id: container.id });
    await shim.unary(Task.Kill, { id: container.id, signal: 9 });
    expect(await shim.unary(Task.Wait, { id: container.id })).toMatchObject({ exitStatus: 137 });
    // The publish binary is called for one event after the other, and nobody waits for it.
    await eventually("the start is told of", () => shims.events().includes("/tasks/start") || undefined);
    expect(await shim.unary(Task.Delete, { id: container.id }, { timeoutMs: 60_000 })).toMatchObject({
      exitStatus: 137,
    });
  });

  test("a logger gets both streams, and who it is for", async () => {
    const log = shims.scratch.join("logged");
    const logger = shims.scratch.join("logger");
    writeFileSync(
      logger,
      `#!/bin/sh\nexec 5>&-\n(cat <&3; cat <&4; echo "$CONTAINER_NAMESPACE $CONTAINER_ID $*") > ${log}\n`,
      {
        mode: 0o755,
      },
    );
    const { id, shim } = await shims.run(
      { args: ["sh", "-c", "echo out; echo err >&2"] },
      { stdout: `binary://${logger}?a=b` },
    );
    await shim.unary(Task.Wait, { id });
    await shim.unary(Task.Delete, { id });
    const whole = `out\nerr\n${shims.namespace} ${id} a b\n`;
    await eventually(
      "the logger has written",
      () => (existsSync(log) && readFileSync(log, "utf8") === whole) || undefined,
    );
  });

  test("a terminal has the size that it was given before and after its start", async () => {
    const script =
      "until [ \"$(stty size)\" = '40 100' ]; do sleep 0.05; done; echo first; until [ \"$(stty size)\" = '41 101' ]; do sleep 0.05; done; echo second";
    const { id, shim, output } = await shims.create(
      { args: ["sh", "-c", script], terminal: true },
      { terminal: true },
    );
    await shim.unary(Task.ResizePty, { id, width: 100, height: 40 });
    await shim.unary(Task.Start, { id });
    await eventually("the first size", () => output().includes("first") || undefined);
    await shim.unary(Task.ResizePty, { id, width: 101, height: 41 });
    expect(await shim.unary(Task.Wait, { id })).toMatchObject({ exitStatus: 0 });
    expect(output()).toContain("second");
  });
});

describe("signals and memory", () => {
  test("Kill goes to the container's own process, and with `all` to every one of its processes", async () => {
    const child = `trap "echo child >> /said" USR1; echo > /ready; while :; do sleep 0.1; done`;
    const script = `trap "echo init >> /said" USR1; sh -c '${child}' & while :; do sleep 0.1; done`;
    const { id, bundle, shim } = await shims.run({ args: ["sh", "-c", script] });
    const file = (name: string) => join(bundle, "rootfs", name);
    const said = () => (existsSync(file("said")) ? readFileSync(file("said"), "utf8") : "");
    await eventually("both have their traps", () => existsSync(file("ready")) || undefined);
    await shim.unary(Task.Kill, { id, signal: SIGUSR1 });
    await expect.poll(said).toBe("init\n");
    await shim.unary(Task.Kill, { id, signal: SIGUSR1, all: true });
    await expect.poll(() => said().trim().split("\n").toSorted()).toEqual(["child", "init", "init"]);
    await shim.unary(Task.Kill, { id, signal: 9, all: true });
    expect(await shim.unary(Task.Wait, { id })).toMatchObject({ exitStatus: 137 });
  });

  test("a container that runs out of memory is told of by an event, and its end is 137", async () => {
    const { id, shim } = await shims.run({
      args: ["sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done"],
      edit: (config) => Object.assign(config.linux, { resources: { memory: { limit: 32 << 20 } } }),
    });
    expect(await shim.unary(Task.Wait, { id })).toMatchObject({ exitStatus: 137 });
    await expect
      .poll(() => shims.events().toSorted())
      .toEqual(["/tasks/create", "/tasks/exit", "/tasks/oom", "/tasks/start"]);
  });
});

describe("when something dies", () => {
  const pidOf = (what: RegExp) => {
    const line = findTraces(shims.traces()).find((each) => what.test(each));
    return Number(/^process (\d+)/.exec(line ?? "")?.[1]);
  };

  test("the VM: its processes have ended with 137, and are told", async () => {
    const { id, shim } = await shims.run();
    process.kill(pidOf(/qemu-system/), "SIGKILL");
    expect(await shim.unary(Task.Wait, { id }, { timeoutMs: 2_000 })).toMatchObject({ exitStatus: 137 });
    expect(await shim.unary(Task.Delete, { id })).toMatchObject({ exitStatus: 137 });
    await eventually("the exit was told", () => shims.events().includes("/tasks/exit") || undefined);
    await shim.unary(Task.Shutdown, { id });
  });

  test("the shim: delete removes all that is left, by the record alone, twice", async () => {
    const created = await shims.run();
    process.kill(created.pid, "SIGKILL");
    const deleted = await shims.command("delete", created);
    expect(deleted).toMatchObject({ status: 0, stderr: "" });
    expect(findTraces(shims.traces())).toEqual([]);
    expect(await shims.command("delete", created)).toMatchObject({ status: 0, stderr: "" });
  });
});
