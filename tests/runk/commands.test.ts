import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { Bundle, script } from "./bundle.ts";
import { controlGroupOf, V2 } from "./control-group.ts";

let bundle: Bundle;
afterEach(() => bundle.close());

const SLEEP = script("exec sleep 600");

/** A container that runs. */
function started(change = SLEEP): string {
  bundle = new Bundle(change);
  const id = bundle.id();
  expect(bundle.runk("run", "--detach", id)).toMatchObject({ status: 0, stderr: "" });
  return id;
}

const state = (id: string) => JSON.parse(bundle.runk("state", id).stdout);
const pids = (id: string): number[] => JSON.parse(bundle.runk("ps", "--format", "json", id).stdout);

const directoryOf = (id: string, controller: string) => controlGroupOf(state(id).pid, controller);

/** What a limit's file says, by its name in either version. */
const limit = (id: string, controller: string, v1: string, v2: string) =>
  readFileSync(join(directoryOf(id, controller), V2 ? v2 : v1), "utf8").trim();

test("ps lists the container's processes and no others, by the host's pids or as the host's ps", () => {
  const id = started(script("sleep 601 & exec sleep 600"));
  expect(pids(id)).toHaveLength(2);
  expect(pids(id)).toContain(state(id).pid);
  const table = bundle.runk("ps", id).stdout.trimEnd().split("\n");
  expect(table[0]).toMatch(/^UID +PID +PPID /);
  expect(table.slice(1).map((line) => line.split(/ +/)[1])).toEqual(pids(id).map(String));
  expect(bundle.runk("ps", id, "-o", "pid,args").stdout).toMatch(
    /^ +PID COMMAND\n.* sleep 600\n.* sleep 601\n$/,
  );
  expect(bundle.runk("ps", id, "-o", "args").stderr).toContain("couldn't find PID field");
});

test("a paused container stands still, takes no exec, and goes on after resume", () => {
  const id = started();
  expect(bundle.runk("pause", id)).toMatchObject({ status: 0, stderr: "" });
  expect(state(id).status).toBe("paused");
  expect(limit(id, "freezer", "freezer.state", "cgroup.freeze")).toBe(V2 ? "1" : "FROZEN");
  expect(bundle.runk("exec", id, "true")).toMatchObject({
    status: 255,
    stderr: expect.stringContaining("cannot exec in a paused container (use --ignore-paused to override)"),
  });
  expect(bundle.runk("pause", id).stderr).toContain("container not running");
  expect(bundle.runk("resume", id)).toMatchObject({ status: 0, stderr: "" });
  expect(state(id).status).toBe("running");
  expect(bundle.runk("exec", id, "true").status).toBe(0);
  expect(bundle.runk("resume", id).stderr).toContain("container not paused");
});

test("a paused container that was only created cannot be started, and can when it is resumed", () => {
  bundle = new Bundle(SLEEP);
  const id = bundle.id();
  bundle.runk("create", id);
  bundle.runk("pause", id);
  expect(bundle.runk("start", id).stderr).toContain("cannot start a container in the paused state");
  bundle.runk("resume", id);
  expect(state(id).status).toBe("created");
  expect(bundle.runk("start", id).status).toBe(0);
});

test.each([
  ["kill KILL", ["kill", "ID", "KILL"]],
  ["kill --all KILL", ["kill", "--all", "ID", "KILL"]],
  ["delete --force", ["delete", "--force", "ID"]],
])("%s ends a paused container", async (_, command) => {
  const id = started();
  bundle.runk("pause", id);
  expect(bundle.runk(...command.map((word) => (word === "ID" ? id : word)))).toMatchObject({
    status: 0,
    stderr: "",
  });
  await eventually(
    "its end",
    () => bundle.runk("state", id).stdout.includes('"running"') === false || undefined,
  );
  expect(bundle.runk("delete", "--force", id).status).toBe(0);
});

test("the --criu of runc's callers is taken, without effect", () => {
  bundle = new Bundle(SLEEP);
  expect(bundle.runk("--criu", "/no/criu", "list", "--quiet")).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("help COMMAND prints what COMMAND --help prints", () => {
  bundle = new Bundle(SLEEP);
  const help = bundle.runk("kill", "--help");
  expect(help.stdout).toContain("Usage: runk kill");
  for (const word of ["help", "h"]) expect(bundle.runk(word, "kill")).toEqual(help);
});

test("kill --all reaches every process of the container; signal 0 tells whether it runs", async () => {
  const id = started((spec) => {
    script("sleep 601 & sleep 602 & exec sleep 600")(spec);
    spec.linux.namespaces = [{ type: "mount" }];
    spec.hostname = "";
  });
  expect(bundle.runk("kill", id, "0").status).toBe(0);
  expect(pids(id)).toHaveLength(3);
  expect(bundle.runk("kill", "--all", id, "TERM").status).toBe(0);
  await eventually("their end", () => pids(id) === null || undefined);
  expect(bundle.runk("kill", id, "0").stderr).toContain("container not running");
});

test("update changes limits by options, by a file and by standard input; 0 leaves one as it is", () => {
  const id = started();
  const words = ["--memory", "32m", "--memory-reservation", "16m", "--cpu-share", "512"];
  words.push("--cpu-quota", "20000", "--cpu-period", "50000", "--pids-limit", "20", "--cpuset-cpus", "0");
  expect(bundle.runk("update", ...words, id)).toMatchObject({ status: 0, stderr: "" });
  expect(limit(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(32 << 20));
  expect(limit(id, "memory", "memory.soft_limit_in_bytes", "memory.low")).toBe(String(16 << 20));
  expect(limit(id, "cpu", "cpu.shares", "cpu.weight")).toBe(V2 ? "20" : "512");
  expect(limit(id, "cpu", "cpu.cfs_quota_us", "cpu.max")).toBe(V2 ? "20000 50000" : "20000");
  if (!V2) expect(limit(id, "cpu", "cpu.cfs_period_us", "")).toBe("50000");
  expect(limit(id, "cpuset", "cpuset.cpus", "cpuset.cpus")).toBe("0");

  const file = join(bundle.path, "resources.json");
  writeFileSync(file, JSON.stringify({ memory: { limit: 64 << 20 }, pids: { limit: 0 } }));
  expect(bundle.runk("update", "--resources", file, id)).toMatchObject({ status: 0, stderr: "" });
  expect(limit(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(64 << 20));
  expect(limit(id, "pids", "pids.max", "pids.max")).toBe("20");

  expect(bundle.runk("update", id)).toMatchObject({ status: 0, stderr: "" });
  // v2 kills instead.
  if (!V2) {
    expect(bundle.runk("update", "--memory", "10k", id).stderr).toContain(
      "the kernel refuses memory.limit_in_bytes = 10240",
    );
  }
  expect(bundle.runk("update", "--l3-cache-schema", "x", id).stderr).toContain("Intel RDT is not supported");
});

test("update reads a file of limits, and then no option, as runc", () => {
  const [runk, runc] = [started(), bundle.id()];
  bundle.runcCommand("run", "--detach", runc);
  try {
    const file = join(bundle.path, "resources.json");
    writeFileSync(file, JSON.stringify({ memory: { limit: 64 << 20 } }));
    const words = ["update", "--resources", file, "--memory", "lots", "--pids-limit", "20"];
    const theirs = bundle.runcCommand(...words, runc);
    expect(bundle.runk(...words, runk)).toEqual(theirs);
    expect(theirs.status).toBe(0);
    expect(limit(runk, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(64 << 20));
    expect(limit(runk, "pids", "pids.max", "pids.max")).not.toBe("20");
  } finally {
    bundle.runcCommand("delete", "--force", runc);
  }
});

test("update takes devices as they are in config.json, as containerd's CRI sends them, and no others", () => {
  const id = started();
  const file = join(bundle.path, "resources.json");
  const update = (devices: object[]) => {
    writeFileSync(file, JSON.stringify({ pids: { limit: 33 }, devices }));
    return bundle.runk("update", "--resources", file, id);
  };
  expect(update([{ allow: true, access: "rwm" }]).stderr).toContain("update: devices: cannot be changed");
  expect(limit(id, "pids", "pids.max", "pids.max")).not.toBe("33");
  expect(update([{ allow: false, access: "rwm" }])).toMatchObject({ status: 0, stderr: "" });
  expect(limit(id, "pids", "pids.max", "pids.max")).toBe("33");
});

test("exec goes on in the container's environment with what its options change", () => {
  const id = started();
  const shell = (text: string, ...options: string[]) => bundle.runk("exec", ...options, id, "sh", "-c", text);
  expect(shell("id", "-u", "7:8", "-g", "5", "-g", "6").stdout).toMatch(/^uid=7 gid=8 groups=5,6\n/);
  expect(shell("grep CapEff /proc/self/status", "--cap", "CAP_NET_ADMIN").stdout).toMatch(/1420\n$/);
  expect(shell("grep NoNewPrivs /proc/self/status", "--no-new-privs").stdout).toMatch(/1\n$/);
  expect(shell("pwd; echo $A$B", "--cwd", "/tmp", "-e", "A=1", "--env", "B=2").stdout).toBe("/tmp\n12\n");
  expect(bundle.runk("exec", id).status).toBe(255);
  // By us, or by a kernel that has AppArmor and no such profile.
  expect(bundle.runk("exec", "--apparmor", "nosuch", id, "true").status).not.toBe(0);
  expect(bundle.runk("exec", "--process-label", "x", id, "true").stderr).toContain(
    "SELinux is not enabled on this kernel",
  );
  expect(bundle.runk("exec", "--console-socket", "/x", id, "true").stderr).toContain(
    "cannot use console socket if runk will not detach or allocate tty",
  );
});

test("exec takes a process file, and writes the process's pid", async () => {
  const id = started();
  const [file, pidFile] = [join(bundle.path, "process.json"), join(bundle.path, "exec.pid")];
  writeFileSync(file, JSON.stringify({ cwd: "/", args: ["/bin/sleep", "603"], env: ["A=1"] }));
  expect(bundle.runk("exec", "--detach", "--pid-file", pidFile, "--process", file, id)).toMatchObject({
    status: 0,
    stderr: "",
  });
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(pids(id)).toEqual([state(id).pid, pid]);
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe(["/bin/sleep", "603", ""].join("\0"));
  for (const words of [
    ["--cwd", "/tmp", id],
    [id, "ls"],
  ])
    expect(bundle.runk("exec", "--process", file, ...words).stderr).toContain("exclude each other");
});

test("exec --cgroup puts the process below the container's control group, where that is there", () => {
  const id = started();
  const sub = join(directoryOf(id, "memory"), "sub");
  const exec = (...words: string[]) =>
    bundle.runk("exec", "--cgroup", ...words, id, "cat", "/proc/self/cgroup");
  mkdirSync(sub);
  try {
    const lines = exec(V2 ? "sub" : "memory:sub")
      .stdout.trim()
      .split("\n");
    const isMeant = (line: string) => V2 || line.includes(":memory:");
    for (const line of lines) expect(line.endsWith("/sub"), line).toBe(isMeant(line));
    expect(exec("other").stderr).toContain("/other does not exist");
    expect(exec("nosuch:sub").stderr).toContain("unknown controller nosuch");
    expect(exec("memory:../..").stderr).toContain("is not below");
  } finally {
    rmdirSync(sub);
  }
});

test("exec --ignore-paused starts a process that runs when the container is resumed", async () => {
  const id = started();
  bundle.runk("pause", id);
  const done = bundle.start("exec", "--ignore-paused", id, "true");
  await eventually("the process", () => pids(id).length > 1 || undefined);
  expect(bundle.runk("resume", id).status).toBe(0);
  expect(await done).toBe(0);
});

test("events ends with the container's deletion, and tells of each process that was killed for want of memory", async () => {
  const id = started((spec) => {
    SLEEP(spec);
    spec.linux.resources = { memory: { limit: 32 << 20 } };
  });
  const lines: { type: string; id: string; data?: { pids: { current: number } } }[] = [];
  const ended = bundle.follow((line) => lines.push(JSON.parse(line)), "events", "--interval", "100ms", id);
  await eventually("figures", () => lines[0]);
  expect(lines[0]).toMatchObject({ type: "stats", id, data: { pids: { current: 1 } } });
  expect(bundle.runk("exec", id, "sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done").status).toBe(
    137,
  );
  await eventually("an OOM event", () => lines.find(({ type }) => type === "oom"));
  bundle.runk("delete", "--force", id);
  expect(await ended).toBe(0);
  expect(lines.filter(({ type }) => type === "oom")).toEqual([{ type: "oom", id }]);
});

test("what only a container that runs can do is refused in runc's words for one that has stopped", async () => {
  const id = started(script("exit 0"));
  await eventually("its end", () => state(id).status === "stopped" || undefined);
  expect(bundle.runk("pause", id).stderr).toContain("container not running");
  expect(bundle.runk("resume", id).stderr).toContain("container not paused");
  expect(bundle.runk("update", "--memory", "1g", id).stderr).toContain("container not running");
  expect(bundle.runk("events", id).stderr).toContain(`container with id ${id} is not running`);
  expect(bundle.runk("events", "--stats", id).stderr).toContain(`container with id ${id} is not running`);
  expect(bundle.runk("exec", id, "true").stderr).toContain("cannot exec in a stopped container");
  expect(bundle.runk("ps", "-f", "json", id).stdout).toBe("null\n");
});

test("descriptors from 3 up reach the process with --preserve-fds, and with socket activation", () => {
  const id = started();
  const list = "ls /proc/self/fd | sort -n; head -n 1 <&3; head -n 1 <&4";
  writeFileSync(join(bundle.path, "three"), "three\n");
  writeFileSync(join(bundle.path, "four"), "four\n");
  const shell = (...words: string[]) => bundle.shell(`"$0" "$@" 3<three 4<four`, ...words);
  const found = shell("exec", "--preserve-fds", "2", id, "sh", "-c", list);
  // The directory that ls reads is a descriptor as well.
  expect(found).toMatchObject({ status: 0, stdout: "0\n1\n2\n3\n4\n5\nthree\nfour\n", stderr: "" });
  expect(bundle.runk("exec", "--preserve-fds", "2", id, "true").stderr).toContain("descriptor 3 is not open");
  bundle.configure(script(`${list}; echo $LISTEN_FDS $LISTEN_PID`));
  const activated = bundle.shell(
    `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<three 4<four`,
    "run",
    "--preserve-fds=1",
    bundle.id(),
  );
  expect(activated).toMatchObject({ status: 0, stdout: "0\n1\n2\n3\n4\n5\nthree\nfour\n1 1\n" });
});

test("create keeps descriptors that have the numbers of its own start pipes", () => {
  bundle = new Bundle(script("head -n 1 <&7"));
  writeFileSync(join(bundle.path, "seven"), "seven\n");
  bundle.configure((spec) => {
    script("head -n 1 <&7 > /tmp/out")(spec);
    spec.root.readonly = false;
    spec.hooks = { startContainer: [{ path: "/bin/true" }] };
  });
  const id = bundle.id();
  const open = "3</dev/null 4</dev/null 5</dev/null 6</dev/null 7<seven";
  expect(bundle.shell(`"$0" "$@" ${open}`, "create", "--preserve-fds", "5", id)).toMatchObject({
    stderr: "",
  });
  expect(bundle.runk("start", id)).toMatchObject({ status: 0, stderr: "" });
  return eventually("its output", () => {
    const text = bundle.read("tmp/out");
    return text === "seven\n" || undefined;
  });
});

test("spec writes an example that runs, and leaves one alone that is there", () => {
  bundle = new Bundle();
  const file = join(bundle.path, "config.json");
  expect(bundle.runk("spec").stderr).toContain("File config.json exists");
  mkdirSync(join(bundle.path, "new"));
  expect(bundle.runk("spec", "--bundle", join(bundle.path, "new"))).toMatchObject({ status: 0, stderr: "" });
  const spec = JSON.parse(readFileSync(join(bundle.path, "new/config.json"), "utf8"));
  spec.process.terminal = false;
  spec.process.args = ["hostname"];
  writeFileSync(file, JSON.stringify(spec));
  expect(bundle.run()).toMatchObject({ status: 0, stdout: "runk\n", stderr: "" });
});

const SYSTEMD = existsSync("/run/systemd/system");

test.skipIf(SYSTEMD)("--systemd-cgroup is refused where there is no systemd, before anything is made", () => {
  bundle = new Bundle();
  for (const command of ["create", "run"]) {
    const refused = bundle.runk("--systemd-cgroup", command, bundle.id());
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/systemd/) });
  }
  expect(bundle.runk("--systemd-cgroup", "list", "--format", "json").stdout).toBe("null\n");
});

test("--log has the error as a line of JSON, as managers read it", () => {
  bundle = new Bundle();
  const log = join(bundle.path, "log.json");
  bundle.runk("--log", log, "--log-format", "json", "pause", "nosuch");
  expect(JSON.parse(readFileSync(log, "utf8"))).toMatchObject({
    level: "error",
    msg: "container does not exist",
    time: expect.any(String),
  });
});

test("run --timing tells the phases on standard error, in their order", () => {
  bundle = new Bundle(script("echo out"));
  const { status, stdout, stderr } = bundle.run("--timing");
  expect([status, stdout]).toEqual([0, "out\n"]);
  const [head, ...phases] = stderr.trimEnd().split("\n");
  expect(head).toMatch(/^phase +start ms +end ms +ms$/);
  expect(phases.map((line) => line.split(" ")[0])).toEqual(["compile", "record", "launch", "run", "delete"]);
});
