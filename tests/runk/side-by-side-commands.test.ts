import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../harness/process.ts";
import { Bundle, type Result, script } from "./bundle.ts";
import { V2 } from "./control-group.ts";

/** The same command to runc and to runk, each with a container of its own: output, messages and statuses have to be the same. */

let bundle: Bundle | undefined;
afterEach(async () => {
  for (const id of bundle?.ids ?? []) bundle?.runcCommand("delete", "--force", id);
  await bundle?.close();
  bundle = undefined;
});

type Runtime = (...args: string[]) => Result;

/** Both runtimes, with a container each that runs. */
function both(text = "exec sleep 600"): { run: Runtime; id: string; name: string }[] {
  const made = new Bundle((spec) => {
    script(text)(spec);
    // As `runc spec` does: without it v2 shows all of the host's.
    if (V2) spec.linux.namespaces = [spec.linux.namespaces, { type: "cgroup" }].flat();
  });
  bundle = made;
  const runtimes = [
    { name: "runk", run: made.runk.bind(made), id: made.id() },
    { name: "runc", run: made.runcCommand.bind(made), id: made.id() },
  ];
  for (const { run, id } of runtimes) expect(run("run", "--detach", id).stderr).toBe("");
  return runtimes;
}

/** What differs by nature: ids, pids, dates, the programs' names and versions. */
function normal(text: string): string {
  return text
    .replaceAll(/runk-test-\d+-\d+/g, "ID")
    .replaceAll(/"pid": ?\d\d+/g, '"pid": N')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "DATE")
    .replaceAll(/"1\.\d\.\d(-dev)?"/g, "VERSION")
    .replaceAll(/runk|runc/g, "RUNTIME")
    .trim();
}

/** The message of the last error line. */
function message(stderr: string): string {
  const line = [...stderr.matchAll(/level=error msg=("(?:[^"\\]|\\.)*"|\S+)/g)].at(-1)?.[1] ?? stderr;
  return normal(line.startsWith('"') ? JSON.parse(line) : line);
}

function same(results: readonly Result[]): void {
  const [runk, runc] = results.map(({ status, stdout, stderr }) => ({
    status,
    stdout: normal(stdout),
    message: message(stderr),
  }));
  expect(runk).toEqual(runc);
}

test("state and list --format json", () => {
  const runtimes = both();
  same(runtimes.map(({ run, id }) => run("state", id)));
  same(runtimes.map(({ run }) => run("list", "--format", "json")));
  same(runtimes.map(({ run }) => run("list", "--quiet")));
});

test("the table of list, but for the digits of its dates", () => {
  const columns = both().map(({ run }) =>
    run("list")
      .stdout.split("\n")
      .map((line) => line.split(/ {3,}/)),
  );
  expect(columns[0]?.[0]).toEqual(columns[1]?.[0]);
  expect(columns[0]?.[1]?.[2]).toBe("running");
  expect(columns[0]?.[1]?.[5]).toBe(columns[1]?.[1]?.[5]);
});

test("the members of events --stats, and those figures that do not move", () => {
  const [runk, runc] = both().map(({ run, id }) => JSON.parse(run("events", "--stats", id).stdout));
  expect(shapeOf(runk)).toEqual(shapeOf(runc));
  expect(runk.data.cpuset).toEqual(runc.data.cpuset);
  for (const family of ["usage", "swap", "kernel", "kernelTCP"])
    expect(runk.data.memory[family].limit).toBe(runc.data.memory[family].limit);
});

/** Every member's path; without those that Go leaves out when they are 0, and v2's memory.peak, which only newer runc prints. */
function shapeOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value)
    .flatMap(([key, member]) => shapeOf(member, `${path}.${key}`))
    .filter((each) => !/memory\.cache|blkio/.test(each) && !(V2 && each.endsWith("memory.usage.max")));
}

test("ps with the host's options, and as JSON", () => {
  const runtimes = both("sleep 601 & exec sleep 600");
  same(runtimes.map(({ run, id }) => run("ps", id, "-o", "pid,user,args")).map(withoutPids));
  same(runtimes.map(({ run, id }) => run("ps", id, "aux")).map(withoutPids));
  same(runtimes.map(({ run, id }) => run("ps", "--format", "json", id)).map(withoutPids));
});

/** Numbers but those of the commands. */
function withoutPids(result: Result): Result {
  return {
    ...result,
    stdout: result.stdout.replaceAll(/\b(?!60[01]\b)\d+(:\d+)?\b/g, "N").replaceAll(/ +/g, " "),
  };
}

test("messages and statuses of commands that the container's state does not allow", async () => {
  const runtimes = both();
  const all = (...words: string[]) =>
    same(runtimes.map(({ run, id }) => run(...words.map((word) => (word === "ID" ? id : word)))));
  all("start", "ID");
  all("delete", "ID");
  all("resume", "ID");
  all("kill", "ID", "NOSUCH");
  all("pause", "ID");
  all("state", "ID");
  all("pause", "ID");
  all("exec", "ID", "true");
  all("delete", "ID");
  all("resume", "ID");
  all("kill", "ID", "KILL");
  for (const { run, id } of runtimes)
    await eventually("its end", () => run("state", id).stdout.includes('"stopped"') || undefined);
  all("state", "ID");
  all("start", "ID");
  all("pause", "ID");
  all("resume", "ID");
  all("update", "--memory", "64m", "ID");
  all("exec", "ID", "true");
  all("kill", "ID");
  all("kill", "--all", "ID", "KILL");
  all("events", "ID");
  all("events", "--stats", "ID");
  all("ps", "ID");
  all("ps", "--format", "json", "ID");
  all("delete", "ID");
  all("list", "--format", "json");
  for (const command of ["state", "start", "pause", "resume", "kill", "delete", "ps", "events"])
    all(command, "ID");
  all("delete", "--force", "ID");
});

test("the limits that update sets", () => {
  const words = [
    "--memory",
    "32M",
    "--memory-reservation",
    "16777216",
    "--cpu-share",
    "512",
    "--cpu-quota",
    "20000",
  ];
  words.push("--cpu-period", "50000", "--pids-limit", "20", "--cpuset-cpus", "0", "--cpuset-mems", "0");
  const files = V2
    ? "memory.max memory.low cpu.weight cpu.max pids.max cpuset.cpus cpuset.mems"
    : "memory/memory.[lms]*limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_* pids/pids.max cpuset/cpuset.[cm]*s";
  const read = ["sh", "-c", `cd /sys/fs/cgroup; head -n 1 $(ls ${files})`];
  same(
    both().map(({ run, id }) => {
      expect(run("update", ...words, id)).toMatchObject({ status: 0, stderr: "" });
      return run("exec", id, ...read);
    }),
  );
});

test("what spec writes, but for version, host name and ambient capabilities, which runc drops when it runs that", () => {
  const runtimes = both();
  for (const options of [[], ["--rootless"]]) {
    const specs = runtimes.map(({ name, run }) => {
      const directory = join(bundle?.path ?? "", name + options.length);
      mkdirSync(directory);
      expect(run("spec", ...options, "--bundle", directory).stderr).toBe("");
      const {
        ociVersion: _,
        hostname: __,
        ...spec
      } = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
      const { ambient: ___, ...capabilities } = spec.process.capabilities;
      return { ...spec, process: { ...spec.process, capabilities } };
    });
    expect(specs[0]).toEqual(specs[1]);
  }
});

test("features in the same structure; what runc has and runk has not is known", () => {
  const [runk, runc] = both().map(({ run }) => JSON.parse(run("features").stdout));
  expect(runk.hooks).toEqual(runc.hooks);
  expect(runk.linux.capabilities).toEqual(runc.linux.capabilities);
  expect(runk.linux.namespaces).toEqual([...runc.linux.namespaces, "time"].sort());
  expect(Object.keys(runk.linux)).toEqual(expect.arrayContaining(Object.keys(runc.linux)));
  const missing = (path: string[]) => path.filter((name) => !runk.mountOptions.includes(name));
  expect(missing(runc.mountOptions)).toEqual(["acl", "noacl"]);
  expect(runk.linux.seccomp.actions).toEqual(runc.linux.seccomp.actions);
  expect(runk.linux.cgroup).toMatchObject({ v1: true, v2: true });
});
