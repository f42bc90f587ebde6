import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { Runc } from "../harness/runc.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

describe("a container's life", () => {
  it("goes from created to running to stopped, and leaves nothing after delete", async () => {
    const id = await runtime.create();
    expect(await runtime.state(id)).toMatchObject({ id, status: "created", ociVersion: "1.0.2-dev" });
    await runtime.ok(["start", id]);
    const running = await runtime.state(id);
    expect(running.status).toBe("running");
    expect(readFileSync(`/proc/${running.pid}/cmdline`, "utf8")).toContain("kata-shim");
    await runtime.ok(["kill", id, "KILL"]);
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    expect((await runtime.state(id)).pid).toBe(0);
    await runtime.ok(["delete", id]);
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("is ended by delete --force though nobody can read its record", async () => {
    const id = await runtime.create();
    await runtime.ok(["start", id]);
    writeFileSync(`${runtime.root}/${id}/persist.json`, "{");
    const plain = await runtime.kata(["delete", id]);
    expect(plain).toMatchObject({ status: 1, stderr: expect.stringContaining("persist.json") });
    await runtime.ok(["delete", "--force", id]);
    await expect.poll(() => findTraces(runtime.traces()), { timeout: 5_000 }).toEqual([]);
  });

  it("refuses what does not fit its state, with runc's words", async () => {
    const id = await runtime.create();
    await runtime.ok(["start", id]);
    const again = await runtime.kata(["start", id]);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("cannot start an already running container");
    const deleted = await runtime.kata(["delete", id]);
    expect(deleted.status).toBe(1);
    expect(deleted.stderr).toContain(`cannot delete container ${id} that is not stopped: running`);
    await runtime.ok(["kill", id, "9"]);
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    const killed = await runtime.kata(["kill", id, "TERM"]);
    expect(killed.status).toBe(1);
    expect(killed.stderr).toContain("container not running");
    const late = await runtime.kata(["exec", id, "true"]);
    expect(late.status).toBe(1);
    expect(late.stderr).toContain("cannot exec in a stopped container");
    const started = await runtime.kata(["start", id]);
    expect(started.status).toBe(1);
    expect(started.stderr).toContain("cannot start a container that has stopped");
  });

  it("is not deleted without force when it has only been created, and stays as it is", async () => {
    const id = await runtime.create();
    const deleted = await runtime.kata(["delete", id]);
    expect(deleted.status).toBe(1);
    expect(deleted.stderr).toContain(`cannot delete container ${id} that is not stopped: created`);
    await runtime.ok(["start", id]);
    expect((await runtime.state(id)).status).toBe("running");
  });

  it("is ended by delete --force in any state, and a second one is no error", async () => {
    const created = await runtime.create();
    await runtime.ok(["delete", "--force", created]);
    const running = await runtime.start();
    await runtime.ok(["delete", "--force", running]);
    await runtime.ok(["delete", "--force", running]);
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("has a cgroup of its own on the host: deleting one must not end another", async () => {
    const cgroupsPath = `/kata-test-shared-${process.pid}`;
    const first = await runtime.start({ cgroupsPath });
    const second = await runtime.kata([
      "create",
      "--bundle",
      runtime.bundle({ cgroupsPath }),
      runtime.newId(),
    ]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/cgroup is not empty: it is that of sandbox/);
    expect((await runtime.state(first)).status).toBe("running");
  });

  it("gets its cgroup alone when two creates that name one race", async () => {
    const cgroupsPath = `/kata-test-raced-${process.pid}`;
    const ids = [runtime.newId(), runtime.newId()];
    const ended = await Promise.all(
      ids.map((id) =>
        exitOf(
          runtime.spawn(
            ["create", "--bundle", runtime.bundle({ cgroupsPath, args: ["sleep", "1000"] }), id],
            { stdio: ["ignore", "ignore", "pipe"] },
          ),
        ),
      ),
    );
    expect(ended.map(({ status }) => status).sort()).toEqual([0, 1]);
    const winner = ended.findIndex(({ status }) => status === 0);
    const [won = "", lost = ""] = [ids[winner], ids[1 - winner]];
    expect(ended[1 - winner]?.stderr).toContain(
      `cgroup ${cgroupsPath}: container's cgroup is not empty: it is that of sandbox ${runtime.root}/${won}`,
    );
    await runtime.ok(["delete", "--force", lost]);
    await runtime.ok(["start", won]);
    expect((await runtime.kata(["exec", won, "true"])).status).toBe(0);
    await runtime.ok(["delete", "--force", won]);
    await runtime.ok(["delete", "--force", await runtime.create({ cgroupsPath })]);
  });

  it("is listed while it is there", async () => {
    expect(await runtime.ok(["list", "--format", "json"])).toBe("null\n");
    const id = await runtime.start();
    const { pid, bundle } = await runtime.state(id);
    expect(await runtime.ok(["list", "--quiet"])).toBe(`${id}\n`);
    const [head, row] = (await runtime.ok(["list"])).split("\n");
    expect(head).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER$/);
    expect(row?.split(/ {3,}| +/).slice(0, 4)).toEqual([id, String(pid), "running", bundle]);
    expect(JSON.parse(await runtime.ok(["list", "--format", "json"]))).toMatchObject([
      { id, pid, status: "running", bundle, owner: "root" },
    ]);
  });

  it("has the members of runc's in state and list, in their order", async () => {
    await using runc = new Runc();
    runc.create();
    const id = await runtime.create();
    const keys = (json: string): string[] => Object.keys([JSON.parse(json)].flat()[0]);
    const state = await runtime.ok(["state", id]);
    expect(keys(state)).toEqual(keys((await runc.run(["state", runc.id])).stdout));
    const list = await runtime.ok(["list", "--format", "json"]);
    expect(keys(list)).toEqual(keys((await runc.run(["list", "--format", "json"])).stdout));
    const { bundle } = await runtime.state(id);
    expect(JSON.parse(state)).toMatchObject({ rootfs: `${bundle}/rootfs`, owner: "" });
    expect(JSON.parse(list)).toMatchObject([{ rootfs: `${bundle}/rootfs`, owner: "root" }]);
    await runtime.ok(["delete", "--force", id]);
    const annotated = await runtime.create({ annotations: { "org.example.a": "b" } });
    expect(await runtime.state(annotated)).toMatchObject({ annotations: { "org.example.a": "b" } });
  });

  it("has stopped when its daemon was killed, and delete works from the record alone", async () => {
    const id = await runtime.start();
    const shim = (await runtime.state(id)).pid;
    for (const line of findTraces(runtime.traces())) {
      const pid = /^process (\d+): .*containerd-shim-kata-v2/.exec(line)?.[1];
      if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
    }
    await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
    await expect
      .poll(() => findTraces(runtime.traces()).some((line) => line.startsWith(`process ${shim}:`)))
      .toBe(false);
    await runtime.ok(["delete", id]);
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("is not disturbed by a configuration that is broken, once it runs", async () => {
    const id = await runtime.start();
    const broken = ["--root", runtime.root, "--config", "/nowhere/configuration.toml"];
    const before = runtime.globals;
    runtime.globals = () => broken;
    try {
      expect((await runtime.state(id)).status).toBe("running");
      expect(await runtime.ok(["list", "--quiet"])).toBe(`${id}\n`);
      await runtime.ok(["kill", id, "KILL"]);
      await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
      await runtime.ok(["delete", id]);
    } finally {
      runtime.globals = before;
    }
  });

  it("runs once when two creates of one id race", async () => {
    const id = runtime.newId();
    const bundle = runtime.bundle({ args: ["sleep", "1000"] });
    const create = () => runtime.spawn(["create", "--bundle", bundle, id], { stdio: "ignore" });
    const statuses = await Promise.all(
      [create(), create()].map((child) => new Promise((resolve) => child.on("exit", resolve))),
    );
    expect(statuses.sort()).toEqual([0, 1]);
    expect((await runtime.state(id)).status).toBe("created");
  });
});

describe("exec", () => {
  it("runs another process in the container's namespaces, with its own environment, directory and user", async () => {
    const id = await runtime.start({ env: ["OWN=1"] });
    const script = "echo $OWN $MORE $(pwd) $(id -u):$(id -g); tr '\\0' ' ' < /proc/1/cmdline";
    const out = await runtime.ok([
      "exec",
      "-e",
      "MORE=2",
      "--cwd",
      "/tmp",
      "--user",
      "1000:1000",
      id,
      "sh",
      "-c",
      script,
    ]);
    expect(out).toBe("1 2 /tmp 1000:1000\nsleep 1000 ");
  });

  it("takes a process file, as docker gives it", async () => {
    const id = await runtime.start();
    const file = runtime.scratch.join("process.json");
    writeFileSync(
      file,
      JSON.stringify({
        args: ["sh", "-c", "echo $A; exit 3"],
        env: ["PATH=/bin", "A=b"],
        cwd: "/",
        user: { uid: 0, gid: 0 },
      }),
    );
    expect(await runtime.kata(["exec", "--process", file, id])).toEqual({
      status: 3,
      stdout: "b\n",
      stderr: "",
    });
  });

  it("passes on stdin and keeps stdout and stderr apart", async () => {
    const id = await runtime.start();
    const ended = await runtime.kata(["exec", id, "sh", "-c", "cat; echo bad >&2"], { input: "good\n" });
    expect(ended).toEqual({ status: 0, stdout: "good\n", stderr: "bad\n" });
  });
});
