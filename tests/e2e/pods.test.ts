import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { BundleOptions } from "../harness/bundle.ts";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const startSandbox = (options?: BundleOptions) => runtime.start(sandboxOptions(options));
const startMember = async (sandbox: string, options?: Parameters<typeof memberOptions>[2]) =>
  runtime.start(await memberOptions(runtime, sandbox, options));
const statusOf = async (id: string) => (await runtime.state(id)).status;
const daemons = () => findTraces(runtime.traces()).filter((line) => line.includes("containerd-shim-kata-v2"));

describe("a container of a pod", () => {
  it.each(["containerd", "CRI-O"] as const)(
    "of %s joins the sandbox's virtual machine, and is a container of its own for every command",
    async (manager) => {
      const sandbox = await runtime.start(sandboxOptions({}, manager));
      const args = ["sh", "-c", "echo up > /tmp/up; exec sleep 1000"];
      const member = await runtime.create(await memberOptions(runtime, sandbox, { args, manager }));
      expect(daemons()).toHaveLength(1);
      expect(await statusOf(member)).toBe("created");
      await runtime.ok(["start", member]);
      const [one, two] = [await runtime.state(sandbox), await runtime.state(member)];
      expect([one.status, two.status]).toEqual(["running", "running"]);
      expect(two.id).toBe(member);
      expect(two.pid).not.toBe(one.pid);
      expect(readFileSync(`/proc/${two.pid}/cmdline`, "utf8")).toContain(`--id\0${member}\0`);
      expect((await runtime.ok(["list", "--quiet"])).split("\n").filter(Boolean).sort()).toEqual(
        [sandbox, member].sort(),
      );
      expect(await runtime.ok(["exec", member, "cat", "/tmp/up"])).toBe("up\n");
      const bootId = ["cat", "/proc/sys/kernel/random/boot_id"];
      expect(await runtime.ok(["exec", member, ...bootId])).toBe(
        await runtime.ok(["exec", sandbox, ...bootId]),
      );

      await runtime.ok(["kill", member, "KILL"]);
      await expect.poll(() => statusOf(member)).toBe("stopped");
      expect(await statusOf(sandbox)).toBe("running");
      await runtime.ok(["delete", member]);
      expect((await runtime.kata(["state", member])).stderr).toContain(
        `container "${member}" does not exist`,
      );
      await runtime.ok(["kill", sandbox, "KILL"]);
      await expect.poll(() => statusOf(sandbox)).toBe("stopped");
      await runtime.ok(["delete", sandbox]);
    },
  );

  it("runs in the foreground, with its output and its exit status", async () => {
    const sandbox = await startSandbox();
    const options = await memberOptions(runtime, sandbox, {
      args: ["sh", "-c", "echo from $0; exit 7", "pod"],
    });
    const id = runtime.newId();
    const ended = await runtime.kata(["run", "--bundle", runtime.bundle(options), id]);
    expect(ended).toEqual({ status: 7, stdout: "from pod\n", stderr: "" });
    expect(await statusOf(sandbox)).toBe("running");
  });

  it("shares ipc and uts namespaces with the pod, and the pid namespace only when asked", async () => {
    const sandbox = await startSandbox();
    const member = await startMember(sandbox);
    const namespace = async (id: string, name: string) =>
      (await runtime.ok(["exec", id, "readlink", `/proc/self/ns/${name}`])).trim();
    for (const name of ["ipc", "uts", "net"])
      expect(await namespace(member, name), name).toBe(await namespace(sandbox, name));
    for (const name of ["pid", "mnt"])
      expect(await namespace(member, name), name).not.toBe(await namespace(sandbox, name));
  });

  it("sees the pod's processes when it shares their namespace, and takes its own along when it ends", async () => {
    const sandbox = await startSandbox({ args: ["sh", "-c", "while true; do sleep 1000 & wait; done"] });
    const args = ["sh", "-c", "sleep 771 & exec sleep 772"];
    const member = await startMember(sandbox, { sharePid: true, args });
    const namespace = (id: string) => runtime.ok(["exec", id, "readlink", "/proc/self/ns/pid"]);
    expect(await namespace(member)).toBe(await namespace(sandbox));
    const list = async (id: string) => (await runtime.ok(["exec", id, "ps", "-o", "args"])).split("\n");
    await expect
      .poll(() => list(member))
      .toEqual(expect.arrayContaining(["sleep 1000", "sleep 771", "sleep 772"]));
    await runtime.ok(["kill", member, "KILL"]);
    await expect.poll(() => statusOf(member)).toBe("stopped");
    await expect.poll(() => list(sandbox)).not.toContain("sleep 771");
    expect(await list(sandbox)).toContain("sleep 1000");
    await runtime.ok(["delete", member]);
    const again = await startMember(sandbox, { sharePid: true, args });
    await runtime.ok(["delete", "--force", again]);
    expect((await list(sandbox)).filter((line) => line.includes("77"))).toEqual([]);
  });

  it("is killed with the pod: when the sandbox's container ends, everything does", async () => {
    const sandbox = await startSandbox();
    const member = await startMember(sandbox);
    await runtime.ok(["kill", sandbox, "KILL"]);
    await expect.poll(() => statusOf(sandbox)).toBe("stopped");
    await expect.poll(() => statusOf(member)).toBe("stopped");
    const late = await memberOptions({ state: async () => ({ pid: process.pid }) } as never, sandbox);
    const refused = await runtime.kata(["create", "--bundle", runtime.bundle(late), runtime.newId()]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`sandbox "${sandbox}" has stopped`);

    const early = await runtime.kata(["delete", sandbox]);
    expect(early.status).toBe(1);
    expect(early.stderr).toContain(`cannot delete sandbox "${sandbox}" while it has containers (${member})`);
    await runtime.ok(["delete", member]);
    await runtime.ok(["delete", sandbox]);
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("goes with delete --force of its sandbox", async () => {
    const sandbox = await startSandbox();
    const member = await startMember(sandbox);
    await runtime.ok(["delete", "--force", sandbox]);
    expect((await runtime.kata(["state", member])).stderr).toContain("does not exist");
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("is made together with 19 others", async () => {
    const sandbox = await startSandbox();
    const options = await memberOptions(runtime, sandbox);
    const members = await Promise.all(Array.from({ length: 20 }, () => runtime.start(options)));
    expect(daemons()).toHaveLength(1);
    for (const member of members) expect(await statusOf(member)).toBe("running");
    await Promise.all(members.map((member) => runtime.ok(["delete", "--force", member])));
    expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
    expect(await statusOf(sandbox)).toBe("running");
  });
});

describe("a container that cannot join", () => {
  /** A failed create, and that it has left the sandbox as it was. */
  async function refusal(sandbox: string, options: BundleOptions, id = runtime.newId()): Promise<string> {
    const child = runtime.spawn(["create", "--bundle", runtime.bundle(options), id], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = await exitOf(child);
    expect(ended.status).toBe(1);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
    expect(await statusOf(sandbox)).toBe("running");
    return ended.stderr;
  }

  it("is told why, and leaves nothing", async () => {
    const sandbox = await startSandbox();
    const options = await memberOptions(runtime, sandbox);
    expect(await refusal(sandbox, options, sandbox)).toContain(
      `container with given ID already exists: ${sandbox}`,
    );

    const annotations = { ...options.annotations, "io.kubernetes.cri.sandbox-id": "no-such" };
    expect(await refusal(sandbox, { ...options, annotations })).toContain(
      `sandbox "no-such" does not exist in ${runtime.root}`,
    );
    const { "io.kubernetes.cri.sandbox-id": _, ...noId } = options.annotations ?? {};
    expect(await refusal(sandbox, { ...options, annotations: noId })).toContain("sandbox-id: is missing");

    const own = await memberOptions(runtime, sandbox, {
      edit: ({ linux }) => {
        linux.namespaces[1] = { type: "network", path: "/proc/self/ns/net" };
      },
    });
    expect(await refusal(sandbox, own)).toContain("/proc/self/ns/net is not that of sandbox");
    const fresh = await memberOptions(runtime, sandbox, {
      edit: ({ linux }) => {
        linux.namespaces[1] = { type: "network" };
      },
    });
    expect(await refusal(sandbox, fresh)).toContain("a new one is not that of sandbox");
    const missing = await memberOptions(runtime, sandbox, { args: ["no-such-command"] });
    expect(await refusal(sandbox, missing)).toContain("executable file not found");
  });

  it("that cannot be created gives its streams back: whoever reads them sees their end", async () => {
    const sandbox = await startSandbox();
    const options = await memberOptions(runtime, sandbox, { args: ["no-such-command"] });
    const bundle = runtime.bundle(options);
    // Resolves when nobody holds the pipes any more; the sandbox and its daemon are still there then.
    const ended = await runtime.kata(["create", "--bundle", bundle, runtime.newId()], { timeoutMs: 20_000 });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("executable file not found");
    expect(await statusOf(sandbox)).toBe("running");
  });

  it("is refused an id that another container of the pod has", async () => {
    const sandbox = await startSandbox();
    const member = await startMember(sandbox);
    const options = await memberOptions(runtime, sandbox);
    const again = await runtime.kata(["create", "--bundle", runtime.bundle(options), member]);
    expect(again.stderr).toContain(`container with given ID already exists: ${member}`);
    expect(await statusOf(member)).toBe("running");
    const alone = await runtime.kata(["create", "--bundle", runtime.bundle(), member]);
    expect(alone.stderr).toContain(`container with given ID already exists: ${member}`);
    const nested = await memberOptions(runtime, member);
    const deep = await runtime.kata(["create", "--bundle", runtime.bundle(nested), runtime.newId()]);
    expect(deep.stderr).toContain(`"${member}" is no sandbox: it is a container of sandbox "${sandbox}"`);
  });
});
