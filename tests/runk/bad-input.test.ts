import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { Bundle, type Change, script } from "./bundle.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

const oneLine = (text: string) => expect(text.trimEnd().split("\n")).toHaveLength(1);

test.each([
  ["nosuch", 127, String.raw`exec: \"nosuch\": executable file not found in $PATH`],
  ["/nosuch", 127, String.raw`exec: \"/nosuch\": stat /nosuch: no such file or directory`],
  ["/etc/passwd", 126, String.raw`exec: \"/etc/passwd\": permission denied`],
  ["/etc", 126, String.raw`exec: \"/etc\": is a directory`],
  ["/etc/passwd/x", 127, String.raw`exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory`],
])("the command %s: run exits with %d, create with 1, both say why", (command, status, text) => {
  bundle = new Bundle((spec) => {
    spec.process.args = [command];
  });
  const run = bundle.run();
  expect(run.status).toBe(status);
  expect(run.stderr).toContain(`runk run failed: unable to start container process: ${text}`);
  oneLine(run.stderr);
  const create = bundle.runk("create", bundle.id());
  expect(create.status).toBe(1);
  expect(create.stderr).toContain(text);
});

test("a file that is executable and no program, found out after start, is told on the process's standard error", async () => {
  bundle = new Bundle((spec) => {
    spec.process.args = ["/bin/none"];
  });
  writeFileSync(join(bundle.rootfs, "bin/none"), "none", { mode: 0o755 });
  const id = bundle.id();
  const created = bundle.shell(`exec "$0" "$@" create ${id} 2> errors`);
  expect([created, bundle.runk("start", id)]).toMatchObject([{ status: 0 }, { status: 0, stderr: "" }]);
  await eventually("its end", () => bundle.runk("state", id).stdout.includes('"stopped"') || undefined);
  expect(readFileSync(join(bundle.path, "errors"), "utf8")).toMatch(
    /^kata-launch: init step \d+ \(exec "\/bin\/none"\): Exec format error \(os error 8\)\n$/,
  );
  // Who waits for the program anyway tells it.
  bundle.configure((spec) => {
    spec.process.args = ["/bin/none"];
    spec.hooks = { poststart: [{ path: "/bin/true" }] };
  });
  const watched = bundle.id();
  expect(bundle.runk("create", watched)).toMatchObject({ status: 0 });
  const start = bundle.runk("start", watched);
  expect([start.status, start.stderr]).toEqual([
    1,
    expect.stringContaining("exec /bin/none: exec format error"),
  ]);
});

test("a file that is executable and no program: 126, exec format error", () => {
  bundle = new Bundle((spec) => {
    spec.process.args = ["/bin/garbage"];
  });
  writeFileSync(join(bundle.rootfs, "bin/garbage"), "\x01garbage", { mode: 0o755 });
  const run = bundle.run();
  expect(run.status).toBe(126);
  expect(run.stderr).toContain("exec format error");
});

const bad = (name: string, change: Change, text: RegExp) => [name, change, text] as const;
test.each([
  bad("no process", (spec) => Reflect.deleteProperty(spec, "process"), /config\.json: process: is required/),
  bad(
    "no arguments",
    (spec) => {
      spec.process.args = [];
    },
    /process\.args: must be a non-empty array of strings/,
  ),
  bad(
    "a rootfs that is not there",
    (spec) => {
      spec.root.path = "nosuch";
    },
    /rootfs \(.*\/nosuch\) does not exist/,
  ),
  bad(
    "a seccomp listener without a path",
    (spec) => {
      const syscalls = [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }];
      spec.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls };
    },
    /linux\.seccomp\.listenerPath: must be set/,
  ),
  bad(
    "a bind source that is not there",
    (spec) => {
      spec.mounts.push({ destination: "/x", type: "bind", source: "/nosuch", options: ["bind"] });
    },
    /init step \d+ \(bind \/nosuch on \/x\): .*ENOENT/,
  ),
  bad(
    "a file system that the kernel has not",
    (spec) => {
      spec.mounts.push({ destination: "/x", type: "nosuchfs", source: "x" });
    },
    /init step \d+ \(mount nosuchfs x on \/x\): ENODEV/,
  ),
  bad(
    "a directory on a file",
    (spec) => {
      spec.mounts.push({ destination: "/etc/passwd", type: "bind", source: "/tmp", options: ["bind"] });
    },
    /bind \/tmp on \/etc\/passwd.*ENOTDIR/,
  ),
  bad(
    "a sysctl that the kernel has not",
    (spec) => {
      spec.linux.sysctl = { "net.ipv4.nosuch": "1" };
    },
    /init step \d+ \(write .*1.* to \/proc\/sys\/net\/ipv4\/nosuch\): .*ENOENT/,
  ),
  bad(
    "a device where a file is",
    (spec) => {
      spec.linux.devices = [{ path: "/etc/passwd", type: "c", major: 1, minor: 3 }];
    },
    /init step \d+ \(mknod \/etc\/passwd\): .*EEXIST/,
  ),
  bad(
    "a working directory below a file",
    (spec) => {
      spec.process.cwd = "/etc/passwd/x";
    },
    /init step \d+ \(mkdir \/etc\/passwd\/x\): .*ENOTDIR/,
  ),
  bad(
    "a namespace that is not there",
    (spec) => {
      spec.linux.namespaces = [{ type: "mount" }, { type: "network", path: "/run/netns/nosuch" }];
      Reflect.deleteProperty(spec, "hostname");
    },
    /(stage step \d+ \(open |)\/run\/netns\/nosuch.*ENOENT/,
  ),
  bad(
    "ids that are mapped twice",
    (spec) => {
      const twice = { containerID: 0, hostID: 100_000, size: 2 };
      const types = ["pid", "network", "ipc", "uts", "mount", "user"];
      spec.linux.namespaces = types.map((type) => ({ type }));
      spec.linux.uidMappings = [twice, twice];
      spec.linux.gidMappings = [twice];
    },
    /parent step \d+ \(id map\): .*EINVAL/,
  ),
  bad(
    "a limit that may not be raised",
    (spec) => {
      spec.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 2 ** 40, hard: 2 ** 40 }];
    },
    /set resource limit.*EPERM/,
  ),
])("%s: one line that names the thing, status 1, nothing left", (_name, change, text) => {
  bundle = new Bundle(change);
  for (const command of ["run", "create"]) {
    const result = bundle.runk(command, bundle.id());
    expect(result.stderr).toMatch(text);
    expect(result.status).toBe(1);
    oneLine(result.stderr);
  }
});

test("no bundle, and a config.json that is no JSON", () => {
  bundle = new Bundle();
  expect(bundle.run("--bundle", "/nosuch").stderr).toContain("config.json not found: /nosuch/config.json");
  writeFileSync(join(bundle.path, "config.json"), "{");
  expect(bundle.run().stderr).toContain("config.json: is not JSON");
});

test.each(["", "..", "a/b", "x".repeat(256)])("the id %j is refused", (id) => {
  bundle = new Bundle();
  for (const command of ["create", "start", "state", "kill", "delete"]) {
    const { status, stderr } = bundle.runk(command, "--", id);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/container id cannot be empty|invalid container ID format/),
    ]);
  }
});

test("an unknown container, command, option and signal", () => {
  bundle = new Bundle();
  for (const command of ["start", "state", "kill", "delete"]) {
    expect(bundle.runk(command, "nosuch")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("container does not exist"),
    });
  }
  expect(bundle.runk("nosuch").stderr).toContain('Invalid command \\"nosuch\\"');
  expect(bundle.runk("start", "--nosuch", "x").stderr).toContain("start: unknown option --nosuch");
  expect(bundle.runk("kill", "x", "SIGNOSUCH").stderr).toContain("unknown signal");
});

test("a state directory that cannot be written", () => {
  bundle = new Bundle(script("true"));
  writeFileSync(bundle.state, "a file");
  const result = bundle.run();
  expect([result.status, result.stderr]).toEqual([1, expect.stringMatching(/state.*(EEXIST|ENOTDIR)/)]);
  rmSync(bundle.state);
  mkdirSync(bundle.state);
});

test("the mount namespace of the host is not joined", () => {
  bundle = new Bundle((spec) => {
    spec.linux.namespaces = [{ type: "mount", path: "/proc/self/ns/mnt" }];
  });
  expect(bundle.run().stderr).toContain("/proc/self/ns/mnt is the host's mount namespace");
});
