import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { BundleOptions } from "../harness/bundle.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

const DOCKER = JSON.parse(readFileSync(join(import.meta.dirname, "../../bench/docker-config.json"), "utf8"))
  .linux.seccomp;

const profiled = (seccomp: object, text: string, noNewPrivileges: boolean): BundleOptions => ({
  args: ["sh", "-c", text],
  edit: (config) => {
    Object.assign(config.linux, { seccomp });
    Object.assign(config.process, { noNewPrivileges });
  },
});

const denying = (action: string, more: object = {}) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action, ...more }],
});

it("docker's default profile is in force in the guest, and another process of the container has it too", async () => {
  const id = await runtime.start(profiled(DOCKER, "sleep 1000", false));
  const { stdout } = await runtime.kata([
    "exec",
    id,
    "sh",
    "-c",
    "grep Seccomp: /proc/self/status; unshare -m true 2>&1",
  ]);
  expect(stdout).toContain("Seccomp:\t2\n");
  expect(stdout).toContain("Operation not permitted");
});

it.each([
  ["SCMP_ACT_ERRNO", { errnoRet: 28 }, true, "No space left on device\n1\n", 0],
  ["SCMP_ACT_KILL_PROCESS", {}, true, "", 159],
  ["SCMP_ACT_TRAP", {}, false, "", 159],
])("%s %j with no_new_privs %s", async (action, more, noNewPrivileges, stdout, status) => {
  const text = status === 0 ? "mkdir /x 2>&1; echo $?" : "exec mkdir /x";
  const bundle = runtime.bundle(profiled(denying(action, more), text, noNewPrivileges));
  const run = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect(run.status).toBe(status);
  expect(run.stdout.endsWith(stdout)).toBe(true);
});

it("a default with an errno of its own reaches the guest", async () => {
  const names = DOCKER.syscalls.flatMap((entry: { names: string[] }) => entry.names);
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 28,
    syscalls: [{ names: names.filter((name: string) => name !== "mkdir"), action: "SCMP_ACT_ALLOW" }],
  };
  const bundle = runtime.bundle(profiled(profile, "mkdir /x 2>&1", true));
  const { stdout } = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect(stdout).toContain("No space left on device");
});

it("a listener is refused", async () => {
  const profile = { ...denying("SCMP_ACT_NOTIFY"), listenerPath: "/run/x" };
  const bundle = runtime.bundle(profiled(profile, "true", true));
  const run = await runtime.kata(["run", "--bundle", bundle, runtime.newId()]);
  expect(run.status).not.toBe(0);
  expect(run.stderr).toContain("linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY");
});
