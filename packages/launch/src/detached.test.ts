import { CLONE, MOUNT_ATTR, MS } from "@kata-containers/sys";
import { describe, expect, test } from "vitest";
import type { Step } from "./plan.ts";
import { compile, find, HOST, makeSpec, V2 } from "./testing/compile.ts";

const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: ["hidepid=2"] },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "rprivate"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "nodev", "noatime"] },
  { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] },
  { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
];
const MAPPING = [{ containerID: 0, hostID: 1000, size: 10 }];
const MAPPED = { uidMappings: MAPPING, gidMappings: MAPPING };
const own = (...types: string[]) => ["mount", ...types].map((type) => ({ type }));
const joined = (...types: string[]) => types.map((type) => ({ type, path: `/ns/${type}` }));
const spec = (namespaces: object[], linux: object = MAPPED) =>
  makeSpec({ mounts: MOUNTS }, { namespaces, ...linux });
const plan = (namespaces: object[], linux?: object) => compile(spec(namespaces, linux), V2).plan;
const made = ({ stage }: { stage: readonly Step[] }) => find(stage, "fsmount").map(({ fstype }) => fstype);

describe("a file system that shows a namespace over which the container's user namespace has no rights", () => {
  test("is made before that, in the namespace that is joined, and attached in the container", () => {
    const { stage, init } = plan([...own("user", "pid"), ...joined("network", "ipc")]);
    expect(made({ stage })).toEqual(["mqueue", "sysfs"]);
    expect(stage.map(({ op }) => op).slice(-13)).toEqual([
      ...["open", "open", "setns", "close", "setns", "close"],
      ...["fsmount", "fsmount"],
      ...["unshare", "sync", "sync", "user", "unshare"],
    ]);
    expect(find(stage, "fsmount")[1]).toEqual({
      op: "fsmount",
      fstype: "sysfs",
      source: "sysfs",
      options: ["ro"],
      attributes: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOATIME,
      as: "mount-1",
    });
    expect(find(init, "bind").filter(({ tree }) => tree !== undefined)).toMatchObject([
      { tree: "mount-0", target: "/dev/mqueue", propagation: MS.PRIVATE | MS.REC, notOn: 0x9fa0 },
      { tree: "mount-1", target: "/sys", root: "root", create: "directory", noSymlinks: true, notOn: 0x9fa0 },
    ]);
    expect(find(init, "mount").map(({ fstype }) => fstype)).not.toContain("sysfs");
  });

  test("keeps its place among the mounts", () => {
    const { init } = plan(own("user", "ipc", "pid", "cgroup"));
    const targets = init.flatMap((step) => (step.op === "mount" || step.op === "bind" ? [step.target] : []));
    expect(targets.slice(1, 6)).toEqual(MOUNTS.map(({ destination }) => destination));
  });

  test("is the launcher's own view where there is no such namespace; procfs then needs no child", () => {
    const { stage } = plan(own("user"));
    expect(made({ stage })).toEqual(["proc", "mqueue", "sysfs"]);
    expect(find(stage, "fsmount")[0]).toMatchObject({ options: ["hidepid=2"], attributes: 0 });
    expect(find(stage, "fsmount")[0]).not.toHaveProperty("inChild");
  });

  test("is opened by a child if it is of a pid namespace that is joined, for that is entered by children", () => {
    const { stage } = plan([...own("user", "network", "ipc"), ...joined("pid")]);
    expect(find(stage, "fsmount")).toMatchObject([{ fstype: "proc", inChild: true }]);
  });

  test("may be a view of control groups", () => {
    const namespaces = [...own("user", "network", "ipc", "pid"), ...joined("cgroup")];
    expect(made(plan(namespaces))).toEqual(["cgroup2"]);
    const { stage } = compile(spec(namespaces)).plan;
    const v1 = find(stage, "fsmount").map(({ fstype, options }) => `${fstype} ${options}`);
    expect(v1).toEqual(HOST.cgroup.v1.map(({ controllers }) => `cgroup ro,${controllers}`));
  });

  test("is made before a user namespace that is joined, which is entered last", () => {
    const { stage } = plan([...own("pid"), ...joined("network", "user")], {});
    expect(made({ stage })).toEqual(["mqueue", "sysfs"]);
    const entered = stage.flatMap((step): (number | string)[] => {
      if (step.op === "setns") return [step.type];
      return step.op === "fsmount" ? [step.fstype] : [];
    });
    expect(entered).toEqual([CLONE.NEWNET, "mqueue", "sysfs", CLONE.NEWUSER]);
  });
});

describe("everything is mounted in the container", () => {
  test.each([
    ["without user namespace", [...own("pid"), ...joined("network", "ipc")], {}],
    ["when its user namespace makes the others", own("user", "network", "ipc", "pid", "cgroup"), MAPPED],
  ])("%s", (_when, namespaces, linux) => {
    const { stage, init } = plan(namespaces, linux);
    expect(made({ stage })).toEqual([]);
    expect(find(init, "mount").map(({ fstype }) => fstype)).toEqual(
      expect.arrayContaining(["proc", "mqueue", "sysfs"]),
    );
  });

  test("if we are not root, who have the rights nowhere else, and join a user namespace first", () => {
    const wanted = spec([...own("pid"), ...joined("network", "user")], {});
    const { stage } = compile(wanted, { ...V2, isUser: true }).plan;
    expect(made({ stage })).toEqual([]);
    expect(find(stage, "setns").map(({ type }) => type)).toEqual([CLONE.NEWUSER, CLONE.NEWNET]);
  });

  test("other flags for a mount that is there stay mount(2)'s", () => {
    const mounts = [{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["remount", "ro"] }];
    const { stage } = compile(makeSpec({ mounts }, { namespaces: own("user"), ...MAPPED })).plan;
    expect(made({ stage })).toEqual([]);
  });
});
