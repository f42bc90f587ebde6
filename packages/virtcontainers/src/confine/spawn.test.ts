import { expect, test } from "vitest";
import { type ConfinedProgram, confinedSteps } from "./spawn.ts";

const program: ConfinedProgram = {
  name: "QEMU",
  path: "/usr/bin/qemu",
  argv: ["/usr/bin/qemu", "-S"],
  fds: [{ from: 33, to: 5 }],
  root: "/vmm",
  capabilities: 0,
};
const names = (root: string | undefined): string[] =>
  confinedSteps({ ...program, root }, ["/cg/cgroup.procs"], 99).map((step) => step.op);

test("the program is in its cgroup before it has a root of its own, and executed last", () => {
  expect(names("/vmm").slice(0, 3)).toEqual(["write", "write", "unshare"]);
  expect(names("/vmm").at(-1)).toBe("exec");
});

test("the parent-death signal is set after the last change of credentials, which would clear it", () => {
  const order = names("/vmm");
  const signal = order.indexOf("parent_death_signal");
  for (const step of ["bounding", "capabilities", "no_new_privileges"])
    expect(order.indexOf(step)).toBeLessThan(signal);
});

test("the VMM gets a root of its own; virtiofsd stays where the trees are attached", () => {
  expect(names("/vmm")).toContain("pivot_root");
  expect(names(undefined)).not.toContain("pivot_root");
  expect(names(undefined)).not.toContain("unshare");
});

test("nothing is inherited but what was passed", () => {
  const steps = confinedSteps(program, [], 99);
  expect(steps).toContainEqual({ op: "close_others", keep: [], pass: [5] });
});
