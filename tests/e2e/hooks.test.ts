import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findTraces, pids } from "../harness/leaks.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
let scripts = 0;

/** A hook that runs a shell script; `$LOG` is a file of its own. */
function hook(script: string, more: object = {}) {
  const path = runtime.scratch.join(`hook-${scripts++}`);
  writeFileSync(path, `#!/bin/sh\nLOG=${path}.log\n${script}\n`);
  chmodSync(path, 0o755);
  const log = () => (existsSync(`${path}.log`) ? readFileSync(`${path}.log`, "utf8") : "");
  return { hook: { path, ...more }, log, path };
}

/** A create that fails. Returns what it said, one line. */
async function failedCreate(hooks: object): Promise<string> {
  const id = runtime.newId();
  const bundle = runtime.bundle({ args: ["sleep", "1000"], hooks });
  const child = runtime.spawn(["create", "--bundle", bundle, id], { stdio: ["ignore", "ignore", "pipe"] });
  const { status, stderr } = await exitOf(child);
  expect(status).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(findTraces(runtime.traces())).toEqual([]);
  return stderr;
}

const logState =
  "cat > $LOG.state; readlink /proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' $LOG.state)/ns/net > $LOG";

describe("hooks on the host", () => {
  it("run in the order of a container's life, each with the state on its standard input", async () => {
    const order = runtime.scratch.join("order");
    const say = (name: string) => hook(`cat > $LOG; echo ${name} >> ${order}`);
    const kinds = ["prestart", "createRuntime", "poststart", "poststop"] as const;
    const made = kinds.map((kind) => say(kind));
    const hooks = Object.fromEntries(kinds.map((kind, index) => [kind, [made[index]?.hook]]));
    const annotations = { "org.example.a": "b" };
    const id = await runtime.create({ hooks, annotations });
    expect(readFileSync(order, "utf8")).toBe("prestart\ncreateRuntime\n");
    const { pid, bundle } = await runtime.state(id);
    await runtime.ok(["start", id]);
    await runtime.ok(["delete", "--force", id]);
    expect(readFileSync(order, "utf8")).toBe(`${kinds.join("\n")}\n`);
    const states = made.map(({ log }) => JSON.parse(log()));
    const common = { ociVersion: "1.0.2-dev", id, bundle, annotations };
    expect(states).toEqual([
      { ...common, status: "created", pid },
      { ...common, status: "created", pid },
      { ...common, status: "running", pid },
      { ...common, status: "stopped" },
    ]);
  });

  it("get a pid in the sandbox's network namespace, whose root is the container's", async () => {
    const { hook: prestart, log } = hook(
      `${logState}; ls /proc/$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' $LOG.state)/root/etc >> $LOG`,
    );
    const id = await runtime.create({ hooks: { prestart: [prestart] } });
    const [namespace, ...files] = log().trim().split("\n");
    expect(namespace).toMatch(/^net:\[\d+\]$/);
    expect(files).toEqual(["group", "passwd"]);
    const daemon = findTraces(runtime.traces()).find((line) => line.includes("containerd-shim-kata-v2"));
    const pid = /^process (\d+)/.exec(daemon ?? "")?.[1];
    const { readlinkSync } = await import("node:fs");
    expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(namespace);
    await runtime.ok(["delete", "--force", id]);
  });

  it("get the arguments and the environment that config.json gives them, or ours", async () => {
    const given = hook('echo "$0|$*|$A|$HOME" > $LOG', { args: ["name", "x", "y"], env: ["A=b"] });
    const ours = hook('echo "$HOME" > $LOG');
    const id = runtime.newId();
    const bundle = runtime.bundle({ hooks: { createRuntime: [given.hook, ours.hook] } });
    await runtime.ok(["run", "--bundle", bundle, id], { env: { HOME: "/here", PATH: process.env.PATH } });
    expect(given.log()).toBe(`${given.path}|x y|b|\n`);
    expect(ours.log()).toBe("/here\n");
  });
});

describe("a hook that fails", () => {
  it("fails create in one line that names it, and undoes everything, poststop included", async () => {
    const stop = hook("cat > $LOG");
    const bad = hook("echo working; echo broken >&2; exit 3");
    const late = hook("echo ran > $LOG");
    const stderr = await failedCreate({
      prestart: [bad.hook],
      createRuntime: [late.hook],
      poststop: [stop.hook],
    });
    expect(stderr).toBe(`kata-runtime: hook prestart[0] ${bad.path}: exit status 3: working; broken\n`);
    expect(late.log()).toBe("");
    expect(JSON.parse(stop.log()).status).toBe("stopped");
  });

  it("is named when it cannot be executed, or was killed", async () => {
    expect(await failedCreate({ prestart: [{ path: "/no/such/hook" }] })).toMatch(
      /hook prestart\[0\] \/no\/such\/hook: cannot start: .*no such file/i,
    );
    const killed = hook("kill -9 $$");
    expect(await failedCreate({ createRuntime: [killed.hook] })).toContain(
      `hook createRuntime[0] ${killed.path}: ended by SIGKILL`,
    );
  });

  it("is killed with its children when it takes too long", async () => {
    const mark = `31${process.pid}`;
    const slow = hook(`echo waiting; sleep ${mark} & sleep ${mark}`, { timeout: 1 });
    expect(await failedCreate({ prestart: [slow.hook] })).toBe(
      `kata-runtime: hook prestart[0] ${slow.path}: killed, it did not end within 1 s: waiting\n`,
    );
    const left = pids().filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${mark}\0`;
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });

  it("is killed when create is interrupted", async () => {
    const slow = hook("echo > $LOG; sleep 1000");
    const id = runtime.newId();
    const bundle = runtime.bundle({ hooks: { prestart: [slow.hook] } });
    const child = runtime.spawn(["create", "--bundle", bundle, id], { stdio: ["ignore", "ignore", "pipe"] });
    const ended = exitOf(child);
    await expect.poll(() => existsSync(`${slow.path}.log`), { timeout: 20_000 }).toBe(true);
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("interrupted by SIGTERM"),
    });
    expect(findTraces(runtime.traces())).toEqual([]);
  });

  it("is a warning after the start and after the end", async () => {
    const bad = hook("echo sorry >&2; exit 1");
    const after = hook("cat > $LOG");
    const id = await runtime.create({ hooks: { poststart: [bad.hook, after.hook], poststop: [bad.hook] } });
    const started = await runtime.kata(["start", id]);
    expect(started).toMatchObject({
      status: 0,
      stderr: `kata-runtime: warning: hook poststart[0] ${bad.path}: exit status 1: sorry\n`,
    });
    expect(after.log()).not.toBe("");
    expect((await runtime.state(id)).status).toBe("running");
    const deleted = await runtime.kata(["delete", "--force", id]);
    expect(deleted.status).toBe(0);
    expect(deleted.stderr).toContain(`hook poststop[0] ${bad.path}: exit status 1: sorry`);
  });
});

describe("a hook of the container's own namespaces", () => {
  it.each(["createContainer", "startContainer"])("%s is refused before anything is changed", async (kind) => {
    expect(await failedCreate({ [kind]: [{ path: "/bin/true" }] })).toContain(
      `hooks.${kind}: hooks that run inside the container are not supported`,
    );
  });
});
