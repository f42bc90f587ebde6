import { expect, test } from "vitest";
import { compileExec } from "./compile-exec.ts";
import { compile, find, HOST, makeSpec, writes } from "./testing/compile.ts";

const LABELS = { apparmorProfile: "docker-default", selinuxLabel: "system_u:system_r:container_t:s0" };
const LABELLED = { ...HOST, selinux: true, apparmor: true };
const WRITES = [
  "/proc/self/attr/apparmor/exec exec docker-default",
  "/proc/self/attr/exec system_u:system_r:container_t:s0",
];

test("labels are for the next exec, told to the machine's own /proc", () => {
  const { init } = compile(makeSpec({}, {}, LABELS), LABELLED).plan;
  expect(writes(init)).toEqual(WRITES);
  const ops = init.map(({ op }) => op);
  expect(ops.lastIndexOf("write")).toBeLessThan(ops.indexOf("pivot_root"));
});

test("an executed process is labelled before it enters the container", () => {
  const process = { args: ["x"], cwd: "/", ...LABELS };
  const { stage } = compileExec(makeSpec(), process, LABELLED, { containerPidfd: 5, cgroups: [] });
  expect(writes(stage)).toEqual(WRITES);
  const ops = stage.map(({ op }) => op);
  expect(ops.lastIndexOf("write")).toBeLessThan(ops.indexOf("setns"));
});

test.each(["apparmorProfile", "selinuxLabel"] as const)("%s is refused where it is not known", (key) => {
  expect(() => compile(makeSpec({}, {}, { [key]: LABELS[key] }))).toThrow(
    new RegExp(`process\\.${key}: \\w+ is not enabled on this kernel`),
  );
});

test("a label for mounts is of new file systems with labels, and without effect where there are none", () => {
  const mounts = [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=700"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts" },
  ];
  const spec = makeSpec({ mounts, linux: { ...makeSpec().linux, mountLabel: "system_u:object_r:x_t:s0" } });
  const context = 'context="system_u:object_r:x_t:s0"';
  const data = (facts = HOST) => find(compile(spec, facts).plan.init, "mount").map((step) => step.data);
  expect(data(LABELLED)).toEqual(["", `mode=700,${context}`, context]);
  expect(data()).toEqual(["", "mode=700", ""]);
  expect(compile(spec).warnings).toEqual(["linux.mountLabel: without effect, this kernel has no SELinux"]);
});
