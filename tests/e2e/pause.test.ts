import { describe, expect, it } from "vitest";
import { CGROUP_VERSIONS, useCgroups } from "../harness/guest-cgroups.ts";
import { Runc } from "../harness/runc.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

describe.each(CGROUP_VERSIONS)("pause with cgroup $version in the guest", ({ kernel_params }) => {
  it("stops the processes, and resume lets them go on", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start({
      args: ["sh", "-c", "while :; do echo x >> /tmp/beat; sleep 0.05; done"],
    });
    const beats = async () => Number(await runtime.ok(["exec", id, "sh", "-c", "wc -c < /tmp/beat"]));
    await expect.poll(beats).toBeGreaterThan(0);
    await runtime.ok(["pause", id]);
    expect((await runtime.state(id)).status).toBe("paused");
    expect(await runtime.ok(["list"])).toMatch(/ paused /);
    await runtime.ok(["resume", id]);
    expect((await runtime.state(id)).status).toBe("running");
    const after = await beats();
    await expect.poll(beats).toBeGreaterThan(after);
  });

  it("runs an exec that ignores the pause when the container is resumed", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start();
    await runtime.ok(["pause", id]);
    const late = runtime.spawn(["exec", "--ignore-paused", id, "true"], { stdio: "ignore" });
    const ended = exitOf(late);
    expect(JSON.parse(await runtime.ok(["ps", "--format", "json", id]))).toHaveLength(1);
    await runtime.ok(["resume", id]);
    expect(await ended).toMatchObject({ status: 0 });
  });

  it("ends by kill with SIGKILL, and by delete --force", async () => {
    useCgroups(runtime, kernel_params);
    const killed = await runtime.start();
    await runtime.ok(["pause", killed]);
    await runtime.ok(["kill", killed, "KILL"]);
    await expect.poll(async () => (await runtime.state(killed)).status).toBe("stopped");
    const deleted = await runtime.start();
    await runtime.ok(["pause", deleted]);
    expect((await runtime.kata(["delete", deleted])).stderr).toContain("that is not stopped: paused");
    await runtime.ok(["delete", "--force", deleted]);
  });
});

it("pause and resume refuse what runc refuses, in its words", async () => {
  await using runc = new Runc();
  runc.create();
  const id = await runtime.create();
  const same = async (...words: string[]) => {
    const [command = "", ...rest] = words;
    const theirs = await runc.errorOf([command, runc.id, ...rest]);
    const ours = await runtime.kata([command, id, ...rest]);
    expect({ words, error: ours.stderr.replace("kata-runtime: ", "").trim() }).toEqual({
      words,
      error: theirs,
    });
    return theirs;
  };
  expect(await same("resume")).toBe("container not paused");
  expect(await same("exec", "true")).toBe("");
  expect(await same("pause")).toBe("");
  expect(await same("start")).toBe("cannot start a container in the paused state");
  expect(await same("resume")).toBe("");
  expect((await runtime.state(id)).status).toBe("created");
  expect(await same("start")).toBe("");
  expect(await same("pause")).toBe("");
  expect(await same("pause")).toBe("container not running");
  expect(await same("exec", "true")).toMatch(/^cannot exec in a paused container/);
  expect(await same("kill", "KILL")).toBe("");
  const stopped = async () => (await runtime.state(id)).status === "stopped";
  await expect.poll(stopped).toBe(true);
  await expect
    .poll(async () => JSON.parse((await runc.run(["state", runc.id])).stdout).status)
    .toBe("stopped");
  for (const command of ["pause", "resume", "exec"])
    expect(await same(command, ...(command === "exec" ? ["true"] : []))).not.toBe("");
});
