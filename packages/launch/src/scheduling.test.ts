import { describe, expect, test } from "vitest";
import { compileExec } from "./compile-exec.ts";
import { compile, find, HOST, makeSpec } from "./testing/compile.ts";

test("a scheduling policy and an I/O priority are set while the process has the right to", () => {
  const process = {
    scheduler: {
      policy: "SCHED_DEADLINE",
      flags: ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"],
      runtime: 10,
      deadline: 20,
      period: 30,
    },
    ioPriority: { class: "IOPRIO_CLASS_RT", priority: 2 },
  };
  const { init } = compile(makeSpec({}, {}, process)).plan;
  expect(find(init, "scheduler")).toEqual([
    { op: "scheduler", policy: 6, flags: 5, nice: 0, priority: 0, runtime: 10, deadline: 20, period: 30 },
  ]);
  expect(find(init, "io_priority")).toEqual([{ op: "io_priority", class: 1, priority: 2 }]);
  const ops = init.map(({ op }) => op);
  expect(Math.max(ops.indexOf("scheduler"), ops.indexOf("io_priority"))).toBeLessThan(ops.indexOf("user"));
});

test.each([
  ["scheduler", { policy: "SCHED_ISO" }, /process\.scheduler\.policy: "SCHED_ISO" is not one of SCHED_OTHER/],
  [
    "scheduler",
    { policy: "SCHED_FIFO", priority: -1 },
    /scheduler\.priority: is not a number from 0 to 99: -1/,
  ],
  [
    "scheduler",
    { policy: "SCHED_RR", priority: 2 ** 32 },
    /scheduler\.priority: is not a number from 0 to 99/,
  ],
  // What the kernel would cut to 19, and kata-launch could not read.
  ["scheduler", { policy: "SCHED_OTHER", nice: 20 }, /scheduler\.nice: is not a number from -20 to 19: 20/],
  [
    "scheduler",
    { policy: "SCHED_DEADLINE", runtime: 2 ** 63 },
    /scheduler\.runtime: is not a number from 0 /,
  ],
  ["scheduler", { policy: "SCHED_FIFO", flags: ["X"] }, /scheduler\.flags\[0\]: "X" is not one of/],
  ["scheduler", { policy: "constructor" }, /scheduler\.policy: "constructor" is not one of SCHED_OTHER/],
  ["ioPriority", { class: "BE", priority: 1 }, /ioPriority\.class: "BE" is not one of IOPRIO_CLASS_RT/],
  [
    "ioPriority",
    { class: "IOPRIO_CLASS_BE", priority: 8 },
    /ioPriority\.priority: is not a number from 0 to 7/,
  ],
])("%s %j is refused", (key, setting, message) => {
  expect(() => compile(makeSpec({}, {}, { [key]: setting }))).toThrow(message);
});

test("an execution domain is also that of what is executed later", () => {
  const spec = makeSpec({}, { personality: { domain: "LINUX32" } });
  const exec = compileExec(spec, { args: ["x"], cwd: "/" }, HOST, { containerPidfd: 5, cgroups: [] });
  for (const { init } of [compile(spec).plan, exec])
    expect(find(init, "personality")).toEqual([{ op: "personality", persona: 8 }]);
  expect(() => compile(makeSpec({}, { personality: { domain: "SUNOS" } }))).toThrow(
    /personality\.domain: "SUNOS"/,
  );
  const flags = { personality: { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] } };
  expect(() => compile(makeSpec({}, flags))).toThrow(/personality\.flags: unknown flag/);
});

describe("CPU affinity", () => {
  const cgroup = {
    version: 1,
    controllers: ["pids"],
    mountpoint: "/cg",
    path: "/c",
    directory: "/cg/c",
  } as const;
  const stage = (execCPUAffinity: object, own: object = {}) => {
    const spec = makeSpec({}, {}, { execCPUAffinity });
    const process = { args: ["x"], cwd: "/", ...own };
    return compileExec(spec, process, HOST, { containerPidfd: 5, cgroups: [cgroup] }).stage;
  };

  test("is not the first process's, but what is executed has one before it is in the cgroups, and one after", () => {
    const steps = stage({ initial: "0-2,7", final: "3" });
    expect(steps.slice(0, 3)).toEqual([
      { op: "affinity", cpus: [0, 1, 2, 7] },
      { op: "write", path: "/cg/c/cgroup.procs", text: "0" },
      { op: "affinity", cpus: [3] },
    ]);
    const { plan } = compile(makeSpec({}, {}, { execCPUAffinity: { initial: "0" } }));
    expect(find([...plan.stage, ...plan.init], "affinity")).toEqual([]);
  });

  test("without a final one, all that the cgroups allow are there again", () => {
    expect(find(stage({ initial: "0" }), "affinity")).toEqual([
      { op: "affinity", cpus: [0] },
      { op: "affinity", cpus: [] },
    ]);
  });

  test("of the executed process itself comes first", () => {
    expect(find(stage({ initial: "0" }, { execCPUAffinity: { final: "5" } }), "affinity")).toEqual([
      { op: "affinity", cpus: [5] },
    ]);
  });

  test.each(["x", "3-1", "1,,2", "8192"])("%j is no list of CPUs", (initial) => {
    expect(() => stage({ initial })).toThrow(/process\.execCPUAffinity\.initial: is not a list of CPUs/);
  });
});
