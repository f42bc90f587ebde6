import { CLONE, MOUNT_ATTR, MS } from "@kata-containers/sys";
import { describe, expect, test } from "vitest";
import { compileContainer } from "./compile-container.ts";
import { compileExec } from "./compile-exec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { Step } from "./plan.ts";
import { compile, find, HOST, makeSpec, V2, v1, writes } from "./testing/compile.ts";

test("the last steps are: find the program, say ready, wait, exec", () => {
  const { init } = compile(makeSpec()).plan;
  expect(init.slice(-4).map(({ op }) => op)).toEqual(["find_executable", "ready", "wait", "exec"]);
  expect(find(init, "find_executable")[0]).toMatchObject({ file: "sh", path: "/bin" });
});

test("a plan for a container runs from a sealed copy of kata-launch", () => {
  expect(compile(makeSpec()).plan.sealed).toBe(true);
});

test("nothing but the start descriptor stays open when the working directory is entered (CVE-2024-21626)", () => {
  const ops = compile(makeSpec()).plan.init.map(({ op }) => op);
  expect(ops.indexOf("close_others")).toBeLessThan(ops.indexOf("chdir"));
  expect(find(compile(makeSpec()).plan.init, "close_others")).toEqual([
    { op: "close_others", keep: [5], pass: [] },
  ]);
});

describe("root", () => {
  test("is pivoted to", () => {
    expect(find(compile(makeSpec()).plan.init, "pivot_root")).toHaveLength(1);
  });

  test("is moved onto an initramfs, which cannot be pivoted", () => {
    const { init } = compile(makeSpec(), { ...HOST, rootIsInitramfs: true }).plan;
    expect([find(init, "move_root").length, find(init, "pivot_root").length]).toEqual([1, 0]);
  });

  test("becomes read-only after it has been entered", () => {
    const { init } = compile(makeSpec({ root: { path: "rootfs", readonly: true } })).plan;
    const ops = init.map(({ op }) => op);
    expect(ops.indexOf("remount")).toBeGreaterThan(ops.indexOf("pivot_root"));
  });

  test("of a shared propagation has a private parent, or it could not be pivoted", () => {
    const { init } = compile(makeSpec({}, { rootfsPropagation: "rshared" })).plan;
    expect(find(init, "private_parent")[0]).toMatchObject({ path: "/b/rootfs" });
    expect(find(init, "propagation").at(-1)).toEqual({
      op: "propagation",
      path: "/",
      flags: MS.SHARED | MS.REC,
    });
  });
});

describe("namespaces", () => {
  test("new ones are unshared together, a joined one is opened first and entered before them", () => {
    const namespaces = [{ type: "mount" }, { type: "uts" }, { type: "network", path: "/run/netns/n" }];
    const { stage } = compile(makeSpec({}, { namespaces })).plan;
    const relevant = stage.filter(({ op }) => ["open", "setns", "unshare", "close"].includes(op));
    expect(relevant.map(({ op }) => op)).toEqual(["open", "setns", "close", "unshare"]);
    expect(find(stage, "unshare")[0]?.flags).toBe(CLONE.NEWNS | CLONE.NEWUTS);
  });

  test("in a new user namespace P writes the maps while the stage waits, and devices are bound", () => {
    const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const namespaces = [{ type: "mount" }, { type: "user" }];
    const { parent, stage, init } = compile(
      makeSpec({}, { namespaces, uidMappings: mapping, gidMappings: mapping }),
    ).plan;
    expect(parent.map(({ op }) => op)).toEqual(["sync", "id_map", "sync"]);
    expect(find(parent, "id_map")[0]).toMatchObject({ uid: "0 100000 65536\n" });
    const ops = stage.map(({ op }) => op);
    expect(ops.slice(-5)).toEqual(["unshare", "sync", "sync", "user", "unshare"]);
    expect(find(init, "mknod")).toEqual([]);
    expect(find(init, "bind").map(({ target }) => target)).toContain("/dev/null");
  });

  test("a user namespace that is joined has its maps, whatever config.json says of them", () => {
    const mapping = [{ containerID: 0, hostID: 100_000, size: 10 }];
    const namespaces = [{ type: "mount" }, { type: "user", path: "/ns/user" }];
    const linux = { namespaces, uidMappings: mapping, gidMappings: mapping };
    expect(compile(makeSpec({}, linux)).plan.parent).toEqual([]);
  });

  test("without user namespace no P is forked", () => {
    expect(compile(makeSpec()).plan.parent).toEqual([]);
  });

  test.each([
    [
      "a user namespace without maps",
      { namespaces: [{ type: "mount" }, { type: "user" }] },
      /needs id mappings/,
    ],
    [
      "maps without a user namespace",
      { namespaces: [{ type: "mount" }], uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] },
      /need a user namespace/,
    ],
  ])("%s is refused", (_what, linux, message) => {
    expect(() => compile(makeSpec({}, linux))).toThrow(message);
  });
});

describe("without a mount namespace", () => {
  const spec = makeSpec({}, { namespaces: [{ type: "pid" }] });

  test("the root is the one mount that the host sees, shared with nobody, and it is changed into", () => {
    const { plan, hostMount } = compile(spec);
    expect(find(plan.init, "propagation")).toEqual([]);
    expect(find(plan.init, "bind")[0]).toMatchObject({
      target: "/b/rootfs",
      propagation: MS.PRIVATE | MS.REC,
    });
    expect(find(plan.init, "chroot")).toEqual([{ op: "chroot", root: "root" }]);
    expect(find(plan.init, "pivot_root")).toEqual([]);
    expect(hostMount).toBe("/b/rootfs");
  });

  test("what is executed in it later is changed into the root, too", () => {
    const { stage } = compileExec(spec, { args: ["x"], cwd: "/" }, HOST, {
      containerPidfd: 5,
      containerRoot: 6,
      cgroups: [],
    });
    expect(stage.at(-1)).toEqual({ op: "chroot", root: 6 });
  });

  test("the host's own root is refused", () => {
    const host = makeSpec({ root: { path: "/" } }, { namespaces: [] });
    expect(() => compile(host)).toThrow(/root\.path: is the host's/);
  });
});

describe("mounts", () => {
  const one = (mount: object) => compile(makeSpec({ mounts: [{ destination: "/m", ...mount }] })).plan.init;

  test("a bind's flags are set on the clone, its source is relative to the bundle", () => {
    const step = find(
      one({ type: "bind", source: "data", options: ["rbind", "ro", "nosuid", "rprivate"] }),
      "bind",
    )[1];
    expect(step).toMatchObject({
      source: "/b/data",
      recursive: true,
      set: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID,
      propagation: MS.PRIVATE | MS.REC,
      root: "root",
      create: "like-source",
    });
  });

  test("a recursive attribute reaches the mounts below", () => {
    expect(find(one({ type: "bind", source: "/s", options: ["rbind", "rro"] }), "bind")[1]).toMatchObject({
      setRecursive: MOUNT_ATTR.RDONLY,
    });
  });

  test("the last of two contradicting options wins", () => {
    expect(find(one({ type: "bind", source: "/s", options: ["ro", "rw"] }), "bind")[1]).toMatchObject({
      set: 0,
    });
  });

  test("a read-only tmpfs is filled first", () => {
    const steps = find(one({ type: "tmpfs", source: "tmpfs", options: ["ro", "mode=755"] }), "mount");
    expect(steps.map(({ flags }) => flags & MS.RDONLY)).toEqual([0, MS.RDONLY]);
    expect(steps[0]?.data).toBe("mode=755");
  });

  test("proc is mounted on no symbolic link (CVE-2019-19921)", () => {
    expect(find(one({ type: "proc", source: "proc" }), "mount")[0]).toMatchObject({ noSymlinks: true });
  });

  test.each([
    [
      "tmpcopyup of another file system",
      { type: "ramfs", options: ["tmpcopyup"] },
      /mounts\[0\]\.options: tmpcopyup is a tmpfs's alone/,
    ],
    [
      "an id-mapped mount without mappings",
      { type: "bind", source: "/s", options: ["idmap"] },
      /mounts\[0\]: an id-mapped mount needs mappings/,
    ],
    [
      "an id-mapped mount of half the mappings",
      { type: "bind", source: "/s", uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] },
      /mounts\[0\]\.gidMappings: a user namespace needs id mappings/,
    ],
    [
      "an id-mapped file system",
      { type: "tmpfs", options: ["idmap"] },
      /mounts\[0\]: only a bind mount can be id-mapped/,
    ],
    ["no type", {}, /mounts\[0\]\.type: is missing/],
  ])("%s is refused", (_what, mount, message) => {
    expect(() => one(mount)).toThrow(message);
  });

  test("a bind that is there is given other flags, and its source is not bound again", () => {
    const init = one({ type: "bind", source: "/s", options: ["bind", "remount", "ro", "nosuid"] });
    expect(find(init, "mount").at(-1)).toEqual({
      op: "mount",
      fstype: "",
      source: "",
      flags: MS.REMOUNT | MS.BIND | MS.RDONLY | MS.NOSUID,
      data: "",
      root: "root",
      target: "/m",
    });
    expect(find(init, "bind")).toHaveLength(1);
  });

  test("a file system's options on a bind have no effect, and a warning says so", () => {
    const mounts = [{ destination: "/m", type: "bind", source: "/s", options: ["bind", "size=1"] }];
    expect(compile(makeSpec({ mounts })).warnings).toEqual([
      "mounts[0].options: without effect on a bind mount: size=1",
    ]);
  });

  test("/dev/core is there where the kernel has /proc/kcore", () => {
    const core = { op: "symlink", path: "/dev/core", to: "/proc/kcore", root: "root", ignore: [17] };
    expect(find(compile(makeSpec(), { ...HOST, kcore: true }).plan.init, "symlink")).toContainEqual(core);
    expect(find(compile(makeSpec()).plan.init, "symlink")).not.toContainEqual(core);
  });

  test("a /dev of the caller's is left as it is", () => {
    const spec = makeSpec({ mounts: [{ destination: "/dev", type: "bind", source: "/dev" }] });
    expect(find(compile(spec).plan.init, "mknod")).toEqual([]);
  });

  test("cgroup v1 is a tmpfs with one mount a hierarchy and links for those that share one", () => {
    const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }];
    const namespaces = [{ type: "mount" }, { type: "cgroup" }];
    const { init } = compile(makeSpec({ mounts }, { namespaces })).plan;
    expect(find(init, "mount").map(({ fstype, target }) => `${fstype} ${target}`)).toContain(
      "cgroup /sys/fs/cgroup/cpu,cpuacct",
    );
    expect(find(init, "symlink")).toContainEqual(
      expect.objectContaining({ path: "/sys/fs/cgroup/cpuacct", to: "cpu,cpuacct" }),
    );
  });
});

describe("cgroups", () => {
  const resources = {
    memory: { limit: 1000, swap: 3000 },
    cpu: { shares: 1024, quota: 5000, period: 10_000 },
    pids: { limit: 7 },
  };

  test("v1 limits are written before the process moves in", () => {
    const { plan } = compile(makeSpec({}, { resources, cgroupsPath: "/kata/c1" }));
    const lines = writes(plan.stage);
    expect(lines).toContain("/cg/memory/kata/c1/memory.limit_in_bytes 1000");
    expect(lines).toContain("/cg/memory/kata/c1/memory.memsw.limit_in_bytes 3000");
    expect(lines).toContain("/cg/cpu,cpuacct/kata/c1/cpu.cfs_quota_us 5000");
    expect(lines.indexOf("/cg/pids/kata/c1/pids.max 7")).toBeLessThan(
      lines.indexOf("/cg/pids/kata/c1/cgroup.procs 0"),
    );
  });

  test("v2 has swap alone, a weight and one file for the quota, below the parent of our own cgroup", () => {
    const lines = writes(compile(makeSpec({}, { resources }), V2).plan.stage);
    expect(lines).toContain("/cg/user/c1/memory.max 1000");
    expect(lines).toContain("/cg/user/c1/memory.swap.max 2000");
    expect(lines).toContain("/cg/user/c1/cpu.weight 39");
    expect(lines).toContain("/cg/user/c1/cpu.max 5000 10000");
    expect(lines).toContain("/cg/user/cgroup.subtree_control +memory");
  });

  test("a limit whose file not every kernel has may find none", () => {
    const facts = { ...HOST, cgroup: { v1: v1("hugetlb") } };
    const limits = { hugepageLimits: [{ pageSize: "2MB", limit: 4096 }] };
    const files = find(compile(makeSpec({}, { resources: limits }), facts).plan.stage, "write");
    const written = files.filter(({ path }) => path.includes("/hugetlb.2MB"));
    expect(written.map(({ ignore }) => ignore)).toEqual([undefined, [2]]);
  });

  test("v2 measures without a limit too, where it can, and has the controllers of unified", () => {
    const unified = { "misc.max": "a 1" };
    const unifiedWith = { mountpoint: "/cg", controllers: ["memory", "misc", "rdma"], ownPath: "/x" };
    const facts = { ...V2, cgroup: { v1: [], v2: unifiedWith } };
    const { stage } = compile(makeSpec({}, { resources: { unified } }), facts).plan;
    const enabled = stage.filter((step) => step.op === "write" && step.path === "/cg/cgroup.subtree_control");
    expect(enabled).toEqual([
      {
        op: "write",
        path: "/cg/cgroup.subtree_control",
        text: "+memory",
        ignore: expect.arrayContaining([2]),
      },
      { op: "write", path: "/cg/cgroup.subtree_control", text: "+misc" },
    ]);
  });

  test("a systemd scope is the cgroup, asked for by the process that is to be in it before anything of it is written", () => {
    const options = { id: "c1", bundle: "/b", scopePath: "/system.slice/runk-c1.scope" };
    const { cgroups, plan } = compileContainer(
      makeSpec({}, { cgroupsPath: "a:b:c", resources }),
      V2,
      options,
    );
    expect(cgroups.map(({ directory }) => directory)).toEqual(["/cg/system.slice/runk-c1.scope"]);
    expect(plan.stage.findIndex(({ op }) => op === "ask")).toBeLessThan(
      plan.stage.findIndex(({ op }) => op === "write"),
    );
    expect(find(plan.stage, "ask")).toEqual([{ op: "ask", what: "scope" }]);
  });

  test("devices start from nothing on v1", () => {
    const devices = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 200, access: "rw" },
    ];
    const lines = writes(compile(makeSpec({}, { resources: { devices } })).plan.stage);
    const rules = lines.filter((line) => line.includes("devices."));
    expect(rules[0]).toBe("/cg/devices/c1/devices.deny a");
    expect(rules[1]).toBe("/cg/devices/c1/devices.allow c 10:200 rw");
    expect(rules).toContain("/cg/devices/c1/devices.allow c 1:3 rwm");
  });

  test("devices are a program of the cgroup's on v2, attached before anybody is in it", () => {
    const spec = makeSpec({}, { resources: { devices: [{ allow: false }] } });
    const { stage } = compile(spec, V2).plan;
    expect(find(stage, "device_filter")).toMatchObject([{ cgroup: "/cg/user/c1" }]);
    const joins = stage.findIndex((step) => step.op === "write" && step.path.endsWith("cgroup.procs"));
    expect(stage.findIndex(({ op }) => op === "device_filter")).toBeLessThan(joins);
  });

  test("device rules where there is neither are refused", () => {
    const spec = makeSpec({}, { resources: { devices: [{ allow: false }] } });
    expect(() => compile(spec, { ...HOST, cgroup: { v1: v1("pids") } })).toThrow(
      /devices: needs cgroup v2 or/,
    );
  });

  test.each([
    [
      "a controller that is not there",
      { hugepageLimits: [{ pageSize: "2MB", limit: 1 }] },
      /hugepageLimits\[0\]: needs the cgroup controller hugetlb/,
    ],
    ["rdma", { rdma: { mlx: { hcaHandles: 1 } } }, /rdma\.mlx: needs the cgroup controller rdma/],
    ["a leaf weight", { blockIO: { leafWeight: 100 } }, /blockIO\.leafWeight: a leaf weight/],
    ["v2's own files on v1", { unified: { "memory.high": "1" } }, /unified\.memory\.high: needs cgroup v2/],
  ])("%s is refused, never ignored", (_what, wrong, message) => {
    expect(() => compile(makeSpec({}, { resources: wrong }))).toThrow(message);
  });

  test.each(["/", ".", "/./"])("the path %j, where others are, is refused", (cgroupsPath) => {
    expect(() => compile(makeSpec({}, { cgroupsPath }))).toThrow(/is the cgroup of other processes/);
  });

  test("a path may not climb", () => {
    expect(() => compile(makeSpec({}, { cgroupsPath: "/a/../../b" }))).toThrow(/must not contain/);
  });
});

describe("the process", () => {
  test("capabilities become masks; an ambient one that is not inheritable cannot be had, and it is said", () => {
    const capabilities = {
      bounding: ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"],
      permitted: ["CAP_KILL"],
      ambient: ["CAP_KILL"],
    };
    const { plan, warnings } = compile(makeSpec({}, {}, { capabilities }));
    const { init } = plan;
    expect(find(init, "bounding")[0]?.keep).toBe(1 + 2 ** 40);
    expect(find(init, "capabilities")[0]).toMatchObject({ permitted: 32, ambient: 0, effective: 0 });
    expect(warnings).toEqual([
      "process.capabilities.ambient: left out, not both permitted and inheritable: CAP_KILL",
    ]);
  });

  test("a group that is named twice is one", () => {
    const user = { uid: 1, gid: 2, additionalGids: [50, 77, 50] };
    const { init } = compile(makeSpec({}, {}, { user })).plan;
    expect(find(init, "user")[0]).toMatchObject({ uid: 1, gid: 2, groups: [50, 77] });
  });

  test("capabilities that are unknown, or that we have not, are left out, and it is said", () => {
    const capabilities = { bounding: ["CAP_X", "CAP_CHOWN"], effective: ["CAP_CHOWN", "CAP_KILL"] };
    const facts = { ...HOST, ownCapabilities: 2 ** 5 };
    const compiled = compile(makeSpec({}, {}, { capabilities }), facts);
    expect(find(compiled.plan.init, "bounding")[0]?.keep).toBe(0);
    expect(find(compiled.plan.init, "capabilities")[0]?.effective).toBe(2 ** 5);
    expect(compiled.warnings).toEqual([
      "process.capabilities: left out, unknown or not to be had here: CAP_X, CAP_CHOWN",
    ]);
  });

  test("a user namespace gives all capabilities", () => {
    const mapping = [{ containerID: 0, hostID: 1, size: 1 }];
    const namespaces = [{ type: "mount" }, { type: "user" }];
    const linux = { namespaces, uidMappings: mapping, gidMappings: mapping };
    const spec = makeSpec({}, linux, { capabilities: { bounding: ["CAP_CHOWN"] } });
    expect(find(compile(spec, { ...HOST, ownCapabilities: 0 }).plan.init, "bounding")[0]?.keep).toBe(1);
  });

  test("oom_score_adj is written before the namespaces are entered", () => {
    expect(compile(makeSpec({}, {}, { oomScoreAdj: 100 })).plan.stage[0]).toMatchObject({
      op: "write",
      text: "100",
    });
  });

  test("a hard limit is raised before a user namespace is entered, and limits are set after what they could hinder", () => {
    const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const namespaces = [{ type: "mount" }, { type: "user" }];
    const rlimits = [{ type: "RLIMIT_NOFILE", soft: 3, hard: 100_000 }];
    const linux = { namespaces, uidMappings: mapping, gidMappings: mapping };
    const spec = makeSpec({}, linux, { rlimits });
    const process = spec.process ?? { cwd: "/" };
    const made = compile(spec).plan;
    const entered = compileExec(spec, process, HOST, { containerPidfd: 6, cgroups: [] });
    for (const { stage, init } of [made, entered]) {
      expect(find(stage, "raise_rlimit")).toEqual([{ op: "raise_rlimit", resource: 7, hard: 100_000 }]);
      const ops = stage.map(({ op }) => op);
      expect(ops.indexOf("raise_rlimit")).toBeLessThan(
        ops.findIndex((op) => op === "unshare" || op === "setns"),
      );
      expect(find(init, "rlimit")).toEqual([{ op: "rlimit", resource: 7, soft: 3, hard: 100_000 }]);
      const steps = init.map(({ op }) => op);
      expect(steps.slice(steps.indexOf("rlimit") - 1)).not.toContain("home");
      expect(steps.indexOf("rlimit")).toBeLessThan(steps.indexOf("user"));
    }
    expect(find(compile(makeSpec({}, {}, { rlimits })).plan.stage, "raise_rlimit")).toEqual([]);
  });

  test("a terminal is made in the container's devpts and controls it", () => {
    const { init } = compile(makeSpec({}, {}, { terminal: true, consoleSize: { height: 5, width: 9 } })).plan;
    expect(find(init, "console")[0]).toMatchObject({ root: "root", bindConsole: true, rows: 5, columns: 9 });
    expect(find(init, "controlling_terminal")).toHaveLength(1);
    expect(find(init, "chown_stdio")).toEqual([]);
  });
});

describe("seccomp", () => {
  const PROFILE = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }],
  };
  const profiled = (profile: object, process: object = {}) => makeSpec({}, { seccomp: profile }, process);
  const names = (steps: readonly Step[]) => steps.map(({ op }) => op);
  const rule = (action: string) => ({ ...PROFILE, syscalls: [{ names: ["mkdir"], action }] });

  test("with no_new_privs the filter is the last thing before exec, after the wait", () => {
    const { init } = compile(profiled(PROFILE, { noNewPrivileges: true })).plan;
    expect(names(init).slice(-4)).toEqual(["ready", "wait", "seccomp", "exec"]);
    expect(names(init).filter((op) => op === "seccomp")).toHaveLength(1);
  });

  test("without, it comes before the rights that installing it takes are dropped", () => {
    const ops = names(compile(profiled(PROFILE)).plan.init);
    expect(ops.filter((op) => op === "seccomp")).toHaveLength(1);
    expect(ops[ops.indexOf("seccomp") + 1]).toBe("bounding");
    expect(ops.indexOf("pivot_root")).toBeLessThan(ops.indexOf("seccomp"));
  });

  test("another process of the container gets the same filter", () => {
    const spec = profiled(PROFILE);
    const { seccomp, cgroups } = compile(spec);
    expect(seccomp?.program.length).toBeGreaterThan(4);
    if (spec.process === undefined || seccomp === undefined) throw new Error("no process or filter");
    const options = { containerPidfd: 6, cgroups, seccomp };
    const { init } = compileExec(spec, spec.process, HOST, options);
    expect(find(init, "seccomp")).toEqual([seccomp]);
  });

  test("the program is the compiler's, as two words an instruction", () => {
    const { seccomp } = compile(profiled(PROFILE));
    expect(seccomp?.program.slice(0, 2)).toEqual([0x20, 4]); // load seccomp_data.arch
    expect(seccomp?.flags).toBe(4); // SPEC_ALLOW
  });

  test("a filter with a listener is there before whoever hands that on has gone", () => {
    const profile = { ...rule("SCMP_ACT_NOTIFY"), listenerPath: "/run/x" };
    const { init } = compile(profiled(profile, { noNewPrivileges: true })).plan;
    expect(names(init).slice(-4)).toEqual(["seccomp", "ready", "wait", "exec"]);
    expect(find(init, "seccomp")[0]).toMatchObject({ listener: true, flags: (1 << 2) | (1 << 3) });
  });

  test("takes a filter that was compiled before, and does not look at the profile", () => {
    // Inside a message, at an odd address.
    const program = Uint8Array.of(0, 6, 0, 0, 0, 0, 0, 0xff, 0x7f).subarray(1);
    const made = (machine: string, actions = HOST.seccomp?.actions ?? []) =>
      compileContainer(
        profiled({ defaultAction: "SCMP_ACT_KILL_PROCESS" }),
        { ...HOST, seccomp: { machine: "x86_64", actions } },
        { id: "c", bundle: "/b", seccomp: { machine, flags: 2, program, actions: ["allow", "errno"] } },
      ).seccomp;
    expect(made("x86_64")).toEqual({ op: "seccomp", flags: 2, program: [6, 0x7fff_0000] });
    // Whoever compiled it did not know this machine, this kernel.
    expect(() => made("aarch64")).toThrow(/linux.seccomp: compiled for aarch64, and this is x86_64/);
    expect(() => made("x86_64", ["allow"])).toThrow(/linux.seccomp: this kernel has no action errno/);
  });

  test.each([
    ["no profile", undefined],
    ["one that says nothing", { defaultAction: "" }],
  ])("%s: no filter", (_, profile) => {
    const compiled = compile(makeSpec({}, profile === undefined ? {} : { seccomp: profile }));
    expect(compiled.seccomp).toBeUndefined();
    expect(find(compiled.plan.init, "seccomp")).toEqual([]);
  });

  test("an architecture without a table is told", () => {
    expect(compile(profiled({ ...PROFILE, architectures: ["SCMP_ARCH_S390X"] })).warnings).toEqual([
      expect.stringContaining("linux.seccomp.architectures: calls of SCMP_ARCH_S390X kill their thread"),
    ]);
  });

  const { seccomp: _seccomp, ...WITHOUT } = HOST;
  const ACTIONS = (...actions: string[]) => ({ ...HOST, seccomp: { machine: "x86_64", actions } });
  test.each<[string, object, HostFacts, string]>([
    ["a kernel without filters", PROFILE, WITHOUT, "linux.seccomp: this kernel has no seccomp filters"],
    [
      "a machine without tables",
      PROFILE,
      { ...HOST, seccomp: { machine: "riscv64", actions: ["allow", "errno"] } },
      "linux.seccomp: a seccomp profile on riscv64 is not supported",
    ],
    [
      "an action that the kernel lacks",
      rule("SCMP_ACT_LOG"),
      ACTIONS("allow", "errno"),
      "linux.seccomp.syscalls[0].action: this kernel has no SCMP_ACT_LOG",
    ],
    [
      "a default that the kernel lacks",
      { defaultAction: "SCMP_ACT_KILL_PROCESS" },
      ACTIONS("allow"),
      "linux.seccomp.defaultAction: this kernel has no SCMP_ACT_KILL_PROCESS",
    ],
    ["an unknown action", rule("SCMP_ACT_NO"), HOST, 'syscalls[0].action: "SCMP_ACT_NO" is not one of'],
    [
      "a listener without a path",
      rule("SCMP_ACT_NOTIFY"),
      HOST,
      "linux.seccomp.listenerPath: must be set: syscalls[0].action is SCMP_ACT_NOTIFY",
    ],
    [
      "a listener that the kernel lacks",
      { ...rule("SCMP_ACT_NOTIFY"), listenerPath: "/run/x" },
      ACTIONS("allow", "errno"),
      "linux.seccomp.syscalls[0].action: this kernel has no SCMP_ACT_NOTIFY",
    ],
    [
      "an unknown flag",
      { ...PROFILE, flags: ["SECCOMP_FILTER_FLAG_NO"] },
      HOST,
      'linux.seccomp.flags[0]: "SECCOMP_FILTER_FLAG_NO" is not one of',
    ],
  ])("%s is refused", (_, profile, facts, message) => {
    expect(() => compile(profiled(profile), facts)).toThrow(message);
  });
});

test("hooks of create come after the mounts and before the root, those of start after the byte and the filter", () => {
  const [one, two] = [
    { path: "/1", args: ["one"], timeout: 5 },
    { path: "/2", env: ["A=b"] },
  ];
  const spec = makeSpec({ hooks: { prestart: [one], createContainer: [one, two], startContainer: [two] } });
  const options = { id: "c", bundle: "/b", startFd: 5, startedFd: 6, hookEnv: ["OURS=1"] };
  const { init } = compileContainer(spec, HOST, options).plan;
  const interesting = ["ask", "hook", "pivot_root", "report_to", "wait", "exec"];
  expect(init.map(({ op }) => op).filter((op) => interesting.includes(op))).toEqual([
    ...["ask", "hook", "hook", "pivot_root", "report_to", "wait", "hook", "exec"],
  ]);
  const [first, second, third] = find(init, "hook");
  expect(first).toMatchObject({
    name: "hook createContainer[0]",
    argv: ["one"],
    env: ["OURS=1"],
    seconds: 5,
  });
  expect(second).toMatchObject({ path: "/2", argv: ["/2"], env: ["A=b"], seconds: 3600 });
  expect(JSON.parse(third?.state.join("7") ?? "")).toMatchObject({ status: "created", pid: 7 });
});

describe("sysctl", () => {
  const sysctl = (key: string, ...types: string[]) => {
    const namespaces = [{ type: "mount" }, ...types.map((type) => ({ type }))];
    return writes(compile(makeSpec({}, { sysctl: { [key]: "1" }, namespaces })).plan.init);
  };

  test("is written through the machine's own /proc, before the root changes", () => {
    expect(sysctl("net.ipv4.ip_forward", "network")).toEqual(["/proc/sys/net/ipv4/ip_forward 1"]);
    expect(sysctl("net.ipv4.conf.eth0/1.forwarding", "network")).toEqual([
      "/proc/sys/net/ipv4/conf/eth0.1/forwarding 1",
    ]);
  });

  test.each([
    ["net.//.kernel.core_pattern"],
    ["net./.ip_forward"],
    ["net..ip_forward"],
    ["net."],
    ["net.a\0"],
  ])("%j is refused, which is a path to somewhere else, not a name", (key) => {
    expect(() => sysctl(key, "network")).toThrow(/linux\.sysctl\..*: is not the name of a sysctl/);
  });

  test.each([["net.ipv4.ip_forward"], ["kernel.shmmax"], ["kernel.core_pattern"]])(
    "%s is refused without a namespace for it",
    (key) => {
      expect(() => sysctl(key)).toThrow(/is not in a separate kernel namespace/);
    },
  );
});

test("the root of a new user namespace writes its clocks' offsets while the process is dumpable, and no longer", () => {
  const namespaces = [{ type: "user" }, { type: "time" }, { type: "mount" }];
  const mapping = [{ containerID: 0, hostID: 100_000, size: 1 }];
  const linux = { namespaces, timeOffsets: { monotonic: { secs: 1 } } };
  const { stage } = compile(makeSpec({}, { ...linux, uidMappings: mapping, gidMappings: mapping })).plan;
  expect(stage.slice(-3)).toMatchObject([
    { op: "dumpable", on: true },
    { op: "write", path: "/proc/self/timens_offsets", text: "monotonic 1 0\n" },
    { op: "dumpable", on: false },
  ]);
});

test("paths of the kernel's file systems are covered in the mount itself, which nobody can rename away", () => {
  const mounts = [{ destination: "/proc/", type: "proc", source: "proc" }];
  const linux = { maskedPaths: ["/proc/keys", "/sys/firmware", "/x"], readonlyPaths: ["/proc/../proc/sys"] };
  const { init } = compile(makeSpec({ mounts }, linux)).plan;
  const opened = init.findIndex((step) => step.op === "open");
  expect(init.slice(opened, opened + 5)).toMatchObject([
    { op: "open", path: "/proc", as: "proc", root: "root", on: 0x9fa0 },
    { op: "bind", source: "/sys", sourceRoot: "proc", target: "/sys", root: "proc" },
    { op: "mask", path: "/keys", root: "proc" },
    // No sysfs is mounted.
    { op: "mask", path: "/sys/firmware", root: "root" },
    { op: "mask", path: "/x", root: "root" },
  ]);
});

test("a further process enters all namespaces at once by the container's pidfd, and its cgroups before", () => {
  const spec = makeSpec();
  const { cgroups } = compile(spec);
  const process = { args: ["id"], cwd: "/" };
  const { stage, init } = compileExec(spec, process, HOST, { containerPidfd: 6, cgroups });
  expect(find(stage, "setns")).toEqual([{ op: "setns", fd: 6, type: CLONE.NEWNS | CLONE.NEWPID }]);
  expect(stage[0]).toMatchObject({ op: "write", text: "0" });
  expect(find(init, "wait")).toEqual([]);
});

test("the working directory is entered with our rights before the filter, or else with the user's", () => {
  const { init } = compile(makeSpec()).plan;
  const [first, second] = find(init, "chdir");
  expect([first, second]).toMatchObject([{ ignore: [1, 13] }, { ifNotYet: true }]);
  const at = (step: Step | undefined) => (step === undefined ? -1 : init.indexOf(step));
  const user = init.findIndex(({ op }) => op === "user");
  expect([at(first), user, at(second)]).toEqual([user - 2, user, user + 1]);
});
