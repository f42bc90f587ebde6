import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { pids } from "../harness/leaks.ts";
import { eventually } from "../harness/process.ts";
import { Bundle, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

const state = (id: string) => JSON.parse(bundle.runk("state", id).stdout);

test("a container is created, running, stopped, and gone", async () => {
  bundle = new Bundle(script("touch /tmp/started; sleep 60"));
  bundle.configure((spec) => {
    script("touch /tmp/started; exec sleep 60")(spec);
    spec.root.readonly = false;
    spec.annotations = { "a.b": "c" };
  });
  const id = bundle.id();
  const pidFile = join(bundle.path, "pid");
  expect(bundle.runk("create", "--bundle", bundle.path, "--pid-file", pidFile, id)).toMatchObject({
    status: 0,
    stderr: "",
  });
  expect(state(id)).toMatchObject({
    ociVersion: "1.2.0",
    id,
    status: "created",
    bundle: bundle.path,
    annotations: { "a.b": "c" },
  });
  expect(state(id).pid).toBe(Number(readFileSync(pidFile, "utf8")));
  expect(existsSync(join(bundle.rootfs, "tmp/started"))).toBe(false);

  expect(bundle.runk("start", id)).toMatchObject({ status: 0, stderr: "" });
  expect(state(id).status).toBe("running");
  await eventually("start", () => existsSync(join(bundle.rootfs, "tmp/started")) || undefined, 5_000);
  expect(bundle.runk("start", id).stderr).toContain("cannot start an already running container");
  expect(bundle.runk("delete", id).stderr).toContain(
    `cannot delete container ${id} that is not stopped: running`,
  );
  expect(bundle.runk("list").stdout).toMatch(new RegExp(`^ID .*\n${id} +\\d+ +running `));
  expect(bundle.runk("list", "-q").stdout).toBe(`${id}\n`);

  expect(bundle.runk("kill", id, "KILL").status).toBe(0);
  await eventually("stop", () => state(id).status === "stopped" || undefined, 5_000);
  expect(state(id).pid).toBe(0);
  expect(bundle.runk("kill", id).stderr).toContain("container not running");
  expect(bundle.runk("start", id).stderr).toContain("cannot start a container that has stopped");
  expect(bundle.runk("delete", id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("state", id).stderr).toContain("container does not exist");
});

test("delete refuses a container that has only been created, as it is not stopped", () => {
  bundle = new Bundle();
  const id = bundle.id();
  expect(bundle.runk("create", id).status).toBe(0);
  expect(bundle.runk("delete", id).stderr).toContain(
    `cannot delete container ${id} that is not stopped: created`,
  );
  expect(state(id).status).toBe("created");
  expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
});

test("delete --force kills a running container, and takes an unknown one for deleted", () => {
  bundle = new Bundle(script("exec sleep 60"));
  const id = bundle.id();
  expect(bundle.runk("run", "--detach", id).status).toBe(0);
  expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
});

test("of many creates with one id exactly one wins, and the container is whole", async () => {
  bundle = new Bundle();
  const id = bundle.id();
  const [program = "", ...args] = bundle.command("create", "--bundle", bundle.path, id);
  const children = Array.from({ length: 6 }, () => spawn(program, args, { stdio: "ignore" }));
  const statuses = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
  expect(statuses.sort()).toEqual([0, 1, 1, 1, 1, 1]);
  expect(state(id).status).toBe("created");
  expect(bundle.runk("create", id).stderr).toContain("container with given ID already exists");
});

test("a process of the container's can be run beside the first, with its own user and status", () => {
  bundle = new Bundle(script("exec sleep 60"));
  const id = bundle.id();
  bundle.runk("run", "-d", id);
  const result = bundle.runk(
    "exec",
    "--user",
    "1000:1000",
    "--cwd",
    "/tmp",
    "-e",
    "A=b",
    id,
    "sh",
    "-c",
    "id -u; pwd; echo $A; cat /proc/1/comm; exit 5",
  );
  expect(result).toMatchObject({ status: 5, stdout: "1000\n/tmp\nb\nsleep\n" });
  const first = bundle.runk("exec", id, "sh", "-c", "cat /proc/1/cgroup").stdout;
  expect(bundle.runk("exec", id, "cat", "/proc/self/cgroup").stdout).toBe(first);
  expect(bundle.runk("exec", id, "nosuch")).toMatchObject({ status: 127 });
  expect(bundle.runk("exec", id, "nosuch").stderr).toContain(
    String.raw`exec: \"nosuch\": executable file not found in $PATH`,
  );
});

test("a signal to runk run reaches the container, and its status is 128 + the signal", async () => {
  bundle = new Bundle(script("trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done"));
  const [program = "", ...args] = bundle.command("run", "--bundle", bundle.path, bundle.id());
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(9);
});

test("a killed container's status is 137", () => {
  bundle = new Bundle(script("kill -KILL $$"));
  // PID 1 cannot kill itself in its own pid namespace, so it has none here.
  bundle.configure((spec) => {
    script("kill -KILL $$")(spec);
    spec.linux.namespaces = [{ type: "mount" }];
    spec.hostname = "";
  });
  expect(bundle.run().status).toBe(137);
});

test("what a container without pid namespace leaves running is killed", async () => {
  bundle = new Bundle();
  bundle.configure((spec) => {
    script("sleep 300 >/dev/null 2>&1 & exit 0")(spec);
    spec.linux.namespaces = [{ type: "mount" }];
    spec.hostname = "";
  });
  expect(bundle.run().status).toBe(0);
});

test("two containers cannot have one cgroup, for deleting one would kill the other", () => {
  const cgroupsPath = `/runk-test-shared-${process.pid}`;
  bundle = new Bundle();
  bundle.configure((spec) => {
    script("exec sleep 60")(spec);
    spec.linux.cgroupsPath = cgroupsPath;
  });
  const [first, second] = [bundle.id(), bundle.id()];
  expect(bundle.runk("create", first).status).toBe(0);
  expect(bundle.runk("create", second).stderr).toContain(
    "container's cgroup is not empty: 1 process(es) found",
  );
  expect(state(first).status).toBe("created");
});

test("what a create leaves when it is killed, at whatever point, delete --force removes", async () => {
  bundle = new Bundle();
  for (let after = 0; after < 16; after++) {
    const id = bundle.id();
    const [program = "", ...args] = bundle.command("create", "--bundle", bundle.path, id);
    const child = spawn(program, args, { stdio: "ignore" });
    setTimeout(() => child.kill("SIGKILL"), after);
    await once(child, "exit");
    await eventually("kata-launch's end", () => !runs(id) || undefined, 5_000);
    expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  }
});

/** Is some process of this container's still on its way? One that waits for `start` has arrived. */
function runs(id: string): boolean {
  return pids().some((pid) => {
    const at = (file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
      } catch {
        return "";
      }
    };
    const waits = at("wchan").includes("pipe") || at("syscall").startsWith("0 ");
    return at("cmdline") === "kata-launch\0" && at("cgroup").includes(id) && !waits;
  });
}

test("a process that exec cannot hand over ends again", () => {
  bundle = new Bundle(script("exec sleep 60"));
  const id = bundle.id();
  bundle.runk("run", "--detach", id);
  const pids = () => JSON.parse(bundle.runk("ps", "--format", "json", id).stdout);
  const before = pids();
  const options = ["--detach", "--pid-file", "/nonexistent/pid"];
  expect(bundle.runk("exec", ...options, id, "sleep", "61")).toMatchObject({
    status: 255,
    stderr: expect.stringContaining("cannot write the pid file"),
  });
  expect(pids()).toEqual(before);
});

test("run exits with the container's status also when somebody else deletes it, and leaves a new one of its id alone", async () => {
  bundle = new Bundle(script("exec sleep 60"));
  const id = bundle.id();
  const running = bundle.start("run", id);
  await eventually("run", () => bundle.runk("list").stdout.includes(" running ") || undefined, 5_000);
  expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
  expect(bundle.runk("create", id)).toMatchObject({ status: 0, stderr: "" });
  expect(await running).toBe(128 + 9);
  expect(state(id).status).toBe("created");
});
