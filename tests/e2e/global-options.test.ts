import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../harness/process.ts";
import { kataRuntime } from "../harness/programs.ts";
import { Runc } from "../harness/runc.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("the JSON log has what go-runc reads of it: level, msg and time", async () => {
  const log = runtime.scratch.join("json.log");
  const ended = await runtime.kata(["--log", log, "--log-format", "json", "state", "nobody"]);
  expect(ended.status).toBe(1);
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const last = JSON.parse(lines.at(-1) ?? "");
  expect(last).toMatchObject({ level: "error", msg: 'container "nobody" does not exist' });
  expect(last.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  expect(statSync(log).mode & 0o777).toBe(0o640);
});

describe("what cannot work is refused with the reason, before anything is made", () => {
  it.each([
    [["--rootless", "true", "list"], "--rootless true: a sandbox needs root on the host"],
    [["--rootless", "maybe", "list"], '--rootless: "maybe" is not true, false or auto'],
    [["--log-format", "xml", "list"], 'unknown log-format "xml"'],
    [["create", "--preserve-fds", "2", "nobody"], "--preserve-fds 2: the host's descriptors cannot cross"],
    [["run", "--preserve-fds", "x", "nobody"], '--preserve-fds "x": must be a number'],
    [["spec", "--rootless"], "--rootless: a sandbox needs root"],
  ])("%j", async (args, message) => {
    expect(await runtime.kata(args)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
  });

  it("a systemd cgroup where there is no systemd, in runc's words, or a systemd name without the option", async () => {
    await using runc = new Runc();
    const bundle = runtime.bundle({ cgroupsPath: "system.slice:kata:x" });
    const theirs = await runc.errorOf(["--systemd-cgroup", "create", "--bundle", bundle, runc.id]);
    const ours = await runtime.kata(["--systemd-cgroup", "create", "--bundle", bundle, runtime.newId()]);
    expect(ours).toMatchObject({ status: 1, stderr: expect.stringContaining(theirs) });
    const without = await runtime.kata(["create", "--bundle", bundle, runtime.newId()]);
    expect(without).toMatchObject({ status: 1, stderr: expect.stringContaining("is a systemd name") });
    expect(await runtime.ok(["--systemd-cgroup", "list", "--quiet"])).toBe("");
  });
});

it("a user who is not root is told that it needs root, before anything is done; what needs no sandbox works", async () => {
  // The build may be below a directory that only root may enter.
  const program = join(runtime.scratch.path, "kata-runtime");
  copyFileSync(kataRuntime, program);
  for (const path of [runtime.scratch.path, program]) chmodSync(path, 0o755);
  const asUser = (...words: string[]) =>
    run("setpriv", ["--reuid", "1000", "--regid", "1000", "--clear-groups", program, ...words]);
  const bundle = runtime.bundle();
  for (const words of [
    ["create", "--bundle", bundle, "x"],
    ["run", "--bundle", bundle, "x"],
    ["list"],
    ["state", "x"],
  ]) {
    expect(await asUser(...words)).toEqual({
      status: 1,
      stdout: "",
      stderr: `kata-runtime: ${words[0]}: a sandbox needs root on the host, for its network namespace, mounts and cgroups\n`,
    });
  }
  expect((await asUser("features")).status).toBe(0);
});

it("spec writes what runc writes, but for version, host name and ambient capabilities, once, and it runs", async () => {
  const bundle = runtime.bundle();
  const file = `${bundle}/config.json`;
  writeFileSync(`${bundle}/kept`, readFileSync(file));
  expect((await runtime.kata(["spec", "--bundle", bundle])).stderr).toContain(
    "File config.json exists. Remove it first",
  );
  const fresh = runtime.scratch.join("fresh");
  const theirs = runtime.scratch.join("theirs");
  for (const directory of [fresh, theirs]) mkdirSync(directory);
  await runtime.ok(["spec", "--bundle", fresh]);
  await using runc = new Runc();
  await runc.run(["spec", "--bundle", theirs]);
  const read = (directory: string) => JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
  const runcs = read(theirs);
  // Ambient capabilities that are not inheritable: runc drops them when it runs that.
  delete runcs.process.capabilities.ambient;
  expect(read(fresh)).toEqual({ ...runcs, ociVersion: "1.2.0", hostname: "kata" });
  const example = read(fresh);
  writeFileSync(
    file,
    JSON.stringify({ ...example, process: { ...example.process, terminal: false, args: ["hostname"] } }),
  );
  expect(
    await runtime.ok(["run", "--no-pivot", "--no-new-keyring", "--bundle", bundle, runtime.newId()]),
  ).toBe("kata\n");
});

it("features has runc's structure, and only what works", async () => {
  await using runc = new Runc();
  const theirs = JSON.parse((await runc.run(["features"])).stdout);
  const ours = JSON.parse(await runtime.ok(["features"]));
  expect(Object.keys(ours)).toEqual(
    expect.arrayContaining(["ociVersionMin", "ociVersionMax", "hooks", "linux"]),
  );
  expect(theirs.linux.capabilities).toEqual(expect.arrayContaining([...ours.linux.capabilities]));
  expect(theirs.linux.seccomp.actions).toEqual(expect.arrayContaining(ours.linux.seccomp.actions));
  expect(theirs.linux.seccomp.operators).toEqual(ours.linux.seccomp.operators);
  const namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];
  expect(ours.linux.namespaces).toEqual(namespaces);
  expect(ours.mountOptions).toEqual(expect.arrayContaining(["bind", "ro", "rro", "nosuid", "rprivate"]));
  expect(ours.potentiallyUnsafeConfigAnnotations).toContain("io.katacontainers.config.");
});

it("run --keep leaves the container, stopped, with its status", async () => {
  const id = runtime.newId();
  const bundle = runtime.bundle({ args: ["sh", "-c", "exit 3"] });
  expect((await runtime.kata(["run", "--keep", "--bundle", bundle, id])).status).toBe(3);
  expect((await runtime.state(id)).status).toBe("stopped");
  await runtime.ok(["delete", id]);
});
