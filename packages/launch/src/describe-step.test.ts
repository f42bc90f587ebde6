import { expect, test } from "vitest";
import { describeStep } from "./describe-step.ts";

test("a mount names its file system and its target", () => {
  const mount = { op: "mount", fstype: "proc", source: "proc", flags: 0, data: "", target: "/proc" } as const;
  expect(describeStep(mount)).toBe("mount proc on /proc");
});

test("a step without object is its own name in words", () => {
  expect(describeStep({ op: "no_new_privileges" })).toBe("no new privileges");
});
