import { CLONE } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { CONFINED_STAGE, type ConfinedProgram, confinedSteps } from "./spawn.ts";

const program: ConfinedProgram = {
  name: "QEMU",
  path: "/usr/bin/qemu",
  argv: ["/usr/bin/qemu", "-S"],
  fds: [{ from: 33, to: 5 }],
  root: "/vmm",
  proc: "none",
  capabilities: 0,
};
const steps = (more: Partial<ConfinedProgram> = {}) =>
  confinedSteps({ ...program, ...more }, ["/cg/cgroup.procs"]);
const names = (more: Partial<ConfinedProgram> = {}): string[] => steps(more).map((step) => step.op);

test("the program is in its cgroup before it has a root of its own, and executed last", () => {
  expect(names().slice(0, 3)).toEqual(["write", "write", "unshare"]);
  expect(names().at(-1)).toBe("exec");
});

test("it sees no process, no IPC object and no host name of the host's", () => {
  expect(CONFINED_STAGE).toEqual([{ op: "unshare", flags: CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWUTS }]);
});

test("the parent-death signal is set after the last change of credentials, which would clear it", () => {
  const order = names();
  const signal = order.indexOf("parent_death_signal");
  for (const step of ["bounding", "capabilities", "no_new_privileges"])
    expect(order.indexOf(step)).toBeLessThan(signal);
});

test("it asks for its parent once more after that, over a socket that died with it", () => {
  const order = names();
  expect(order.indexOf("ready")).toBeGreaterThan(order.indexOf("parent_death_signal"));
});

test("it gets a root of its own, and a /proc there only when it needs one", () => {
  expect(names()).toContain("pivot_root");
  expect(names()).not.toContain("mount");
  const order = names({ proc: "processes" });
  expect(order.indexOf("mount")).toBeLessThan(order.indexOf("pivot_root"));
});

test("nothing is inherited but what was passed", () => {
  expect(steps()).toContainEqual({ op: "close_others", keep: [], pass: [5] });
});
