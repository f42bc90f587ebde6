import { expect, test } from "vitest";
import { parseScopeName } from "./scope-name.ts";

test.each([
  ["system.slice:docker:abc", "system.slice", "docker-abc.scope", "/system.slice/docker-abc.scope"],
  ["machine.slice:libpod:1.2", "machine.slice", "libpod-1.2.scope", "/machine.slice/libpod-1.2.scope"],
  [":cri:x", "system.slice", "cri-x.scope", "/system.slice/cri-x.scope"],
  ["user.slice::x", "user.slice", "x.scope", "/user.slice/x.scope"],
  ["-.slice:a:b", "-.slice", "a-b.scope", "/a-b.scope"],
  [
    "kubepods-burstable-pod1.slice:cri-containerd:c",
    "kubepods-burstable-pod1.slice",
    "cri-containerd-c.scope",
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-c.scope",
  ],
  [undefined, "system.slice", "runk-id.scope", "/system.slice/runk-id.scope"],
  ["", "system.slice", "runk-id.scope", "/system.slice/runk-id.scope"],
])("%s is a scope in its slice", (asked, slice, unit, path) => {
  expect(parseScopeName(asked, "id", "runk")).toEqual({ slice, unit, path });
});

test("a user's systemd has its slices below its own cgroup, and user.slice for what names none", () => {
  const place = { root: "/user.slice/user-7.slice/user@7.service", slice: "user.slice" };
  const pathOf = (asked?: string) => parseScopeName(asked, "id", "runk", place).path;
  expect(pathOf("a-b.slice:libpod:x")).toBe(`${place.root}/a.slice/a-b.slice/libpod-x.scope`);
  expect(pathOf(":libpod:x")).toBe(`${place.root}/user.slice/libpod-x.scope`);
  expect(pathOf()).toBe(`${place.root}/user.slice/runk-id.scope`);
});

test.each([
  "/a/path",
  "a:b",
  "a:b:c:d",
  "a/b:c:d",
  "system.slice:docker:",
  "system:docker:x",
  "a--b.slice:docker:x",
  "-a.slice:docker:x",
  "..slice/..:a:b",
  "system.slice:docker:x y",
  "system.slice:docker:x.slice",
  `system.slice:docker:${"x".repeat(256)}`,
])("%s names no scope", (asked) => {
  expect(() => parseScopeName(asked, "id", "runk")).toThrow(/^linux\.cgroupsPath "/);
});
