import { expect, test } from "vitest";
import { describeStep } from "./describe-step.ts";

test("a mount names its file system and its target", () => {
  const mount = { op: "mount", fstype: "proc", source: "proc", flags: 0, data: "", target: "/proc" } as const;
  expect(describeStep(mount)).toBe("mount proc on /proc");
});

test("a step without object is its own name in words", () => {
  expect(describeStep({ op: "no_new_privileges" })).toBe("no new privileges");
});

test("a path of the kernel's is told as the container has it", () => {
  expect(describeStep({ op: "mask", path: "/keys", root: "proc" })).toBe("mask /proc/keys");
  expect(describeStep({ op: "mask", path: "/keys", root: "root" })).toBe("mask /keys");
});
