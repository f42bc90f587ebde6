import { spawnSync } from "node:child_process";
import { chownSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { Bundle, type Change, type Result, script } from "./bundle.ts";
import { V2 } from "./control-group.ts";
import { EACH_STEP } from "./effort.ts";
import { type Place, PlanFaults, placesOf } from "./plan-faults.ts";

/* Every step of a plan fails once: the error says in one line which, and nothing is left. */

let bundle: Bundle;
afterEach(() => bundle.close());

/** What has failed already, in this file's tests. */
const tried = new Set<string>();
const kinds = new Set<string>();

/** The errors that are runc's; and those of steps that fail otherwise (plan-faults.ts), after `create` too, where the step's name is told. */
const IN_WORDS: Readonly<Record<string, RegExp>> = {
  chdir: /failed: chdir to cwd \(/,
  find_executable: /failed: [^\n]*exec: \\"sh\\": executable file not found/,
  exec: /failed: [^\n]*exec sh: no such file or directory/,
  hook: /hook (createContainer|startContainer)\[0\] \/runk-test-fault: cannot start: ENOENT /,
  seccomp: /init step \d+ \((install the )?seccomp( filter[^\n]*)?\): EINVAL /,
  report_to: /init step \d+ \(report to\): runk-test-fault: EBADF |cannot start a container that has stopped/,
  wait: /init step \d+ \(wait\): runk-test-fault: EBADF |cannot start a container that has stopped/,
};

function inWords({ list, index, step }: Place): RegExp {
  return IN_WORDS[step.op] ?? new RegExp(`failed: [^\\n]*${list} step ${index + 1} \\([^\\n]*\\): ENOENT `);
}

/** Has each step of the plan that `launch` executes fail that no test before has had fail. */
async function expectEachNamed(id: string, launch: () => Result): Promise<void> {
  const faults = new PlanFaults(bundle);
  const plan = faults.record(launch);
  const traces = () => [
    ...findTraces({ root: bundle.state, ids: [id] }),
    ...readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(bundle.path)),
  ];
  const before = traces();
  for (const place of placesOf(plan)) {
    const key = JSON.stringify(place.step).replaceAll(id, "ID").replaceAll(bundle.path, "BUNDLE");
    if (tried.has(key) || (kinds.has(place.step.op) && !EACH_STEP)) continue;
    tried.add(key);
    kinds.add(place.step.op);
    const { status, stderr } = faults.inject(plan, place, launch);
    expect(stderr).toMatch(inWords(place));
    expect([status === 0, stderr.trimEnd().split(/\r?\n/).length]).toEqual([false, 1]);
    await expect.poll(traces, { message: key }).toEqual(before);
  }
}

const namespaces = (...types: readonly string[]) => types.map((type) => ({ type }));

test("a container as runc spec writes it", async () => {
  bundle = new Bundle(script("true"));
  const id = bundle.id();
  await expectEachNamed(id, () => bundle.runk("run", id));
});

const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

test("a container in all namespaces, its user's among them", async () => {
  bundle = new Bundle((spec) => {
    script("true")(spec);
    Object.assign(spec, { domainname: "d" });
    Object.assign(spec.linux, {
      namespaces: namespaces("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time"),
      timeOffsets: { monotonic: { secs: 1 } },
      uidMappings: mapping,
      gidMappings: mapping,
      sysctl: { "kernel.shmmax": "4096" },
    });
  });
  chownSync(bundle.rootfs, 100_000, 100_000);
  const id = bundle.id();
  await expectEachNamed(id, () => bundle.runk("run", id));
});

test("one in a user namespace of its own, which has no rights over the others", async () => {
  bundle = new Bundle((spec) => {
    script("true")(spec);
    Object.assign(spec.linux, {
      namespaces: [...namespaces("mount", "user", "uts"), { type: "pid", path: "/proc/self/ns/pid" }],
      uidMappings: mapping,
      gidMappings: mapping,
    });
  });
  chownSync(bundle.rootfs, 100_000, 100_000);
  const id = bundle.id();
  await expectEachNamed(id, () => bundle.runk("run", id));
});

/** What a process can have, limits, hooks and mounts of all kinds. */
const equipped: Change = (spec) => {
  script("true")(spec);
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  spec.mounts.push(
    { destination: "/volume", type: "bind", source: "/var/tmp", options: ["bind", "ro", "rslave"] },
    {
      destination: "/mapped",
      type: "bind",
      source: "rootfs",
      options: ["bind", "idmap"],
      uidMappings: map,
      gidMappings: map,
    },
    { destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro"] },
  );
  spec.root.readonly = false;
  Object.assign(spec.linux, {
    rootfsPropagation: "shared",
    resources: { pids: { limit: 100 } },
    devices: [{ path: "/dev/pipe", type: "p" }],
    personality: { domain: "LINUX32" },
    seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["acct"], action: "SCMP_ACT_ERRNO" }] },
  });
  Object.assign(spec.process, {
    user: { uid: 1000, gid: 1000, umask: 0o77, additionalGids: [5] },
    scheduler: { policy: "SCHED_BATCH", nice: 1 },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
    oomScoreAdj: 100,
  });
  const hook = [{ path: "/bin/true" }];
  Object.assign(spec, { hooks: { createRuntime: hook, createContainer: hook, startContainer: hook } });
};

test("one with hooks, limits, a filter and mounts of all kinds, created and started", async () => {
  bundle = new Bundle(equipped);
  const id = bundle.id();
  await expectEachNamed(id, () => {
    const created = bundle.runk("create", id);
    if (created.status !== 0) return created;
    const started = bundle.runk("start", id);
    expect(bundle.runk("delete", "--force", id)).toMatchObject({ status: 0, stderr: "" });
    return started;
  });
});

test("one that is handed descriptors", async () => {
  bundle = new Bundle(script("true"));
  const id = bundle.id();
  const words = ["run", "--preserve-fds", "1", id];
  await expectEachNamed(id, () => bundle.shell(`exec "$0" "$@" 3< /etc`, ...words));
});

test("one whose root is moved, and one without a mount namespace, in another's namespaces", async () => {
  bundle = new Bundle(script("true"));
  const moved = bundle.id();
  await expectEachNamed(moved, () => bundle.runk("run", "--no-pivot", moved));
  bundle.configure((spec) => {
    script("true")(spec);
    spec.mounts = [];
    spec.linux.maskedPaths = [];
    spec.linux.readonlyPaths = [];
    Reflect.deleteProperty(spec, "hostname");
    spec.root.readonly = false;
    spec.linux.namespaces = ["pid", "network", "ipc"].map((type) => ({
      type,
      path: `/proc/self/ns/${type.slice(0, 3)}`,
    }));
  });
  const id = bundle.id();
  await expectEachNamed(id, () => bundle.runk("run", id));
});

test("one with a terminal", async () => {
  bundle = new Bundle((spec) => {
    script("true")(spec);
    spec.process.terminal = true;
  });
  const id = bundle.id();
  await expectEachNamed(id, () => {
    const options = { encoding: "utf8", timeout: 20_000, input: "" } as const;
    const command = bundle.command("run", "--bundle", bundle.path, id).join(" ");
    const { status, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], options);
    return { status, stdout: "", stderr: stdout.replace("^@", "") };
  });
});

test("a process that is executed later, of a user's with CPUs of its own", async () => {
  bundle = new Bundle(script("exec sleep 100"));
  const id = bundle.id();
  expect(bundle.runk("run", "-d", id)).toMatchObject({ status: 0 });
  const process = join(bundle.path, "process.json");
  const own = {
    args: ["sh"],
    cwd: "/tmp",
    env: [],
    user: { uid: 1, gid: 1 },
    execCPUAffinity: { initial: "0", final: "0" },
  };
  writeFileSync(process, JSON.stringify(own));
  await expectEachNamed(id, () => bundle.runk("exec", "--process", process, id));
  expect(JSON.parse(bundle.runk("state", id).stdout).status).toBe("running");
});

test("no kind of step has been left out", () => {
  bundle = new Bundle();
  const source = readFileSync(join(import.meta.dirname, "../../packages/launch/src/plan.ts"), "utf8");
  const all = new Set([...source.matchAll(/readonly op: "(\w+)"/g)].map(([, op = ""]) => op));
  // QEMU's and virtiofsd's; the other cgroup version's.
  const elsewhere = ["parent_death_signal", ...(V2 ? ["inherit_cpuset"] : ["device_filter"])];
  expect([...all].filter((op) => !kinds.has(op)).sort()).toEqual(elsewhere.sort());
});
