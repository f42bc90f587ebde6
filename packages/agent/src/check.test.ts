import { expect, test } from "vitest";
import { checkContainerId, checkExecId, checkRunPath, checkSignal } from "./check.ts";

test.each(["", "..", "a/b", "a".repeat(256), "a b", "\0"])("%j is no exec id", (id) => {
  expect(() => checkExecId(id)).toThrow("exec_id");
});

test.each(["", "..", "a/b"])("%j is no container id", (id) => {
  expect(() => checkContainerId(id)).toThrow("container_id");
});

test.each([
  "/etc/passwd",
  "/run/kata-containers",
  "/run/kata-containers/../../etc",
  "/run/kata-containers/a/./b",
  "/run/kata-containers//a",
  "/run/kata-containersX/a",
  "run/kata-containers/a",
  "/run/kata-containers/a\0b",
])("%j is refused as a path of a request", (path) => {
  expect(() => checkRunPath(path, "mount_point")).toThrow("mount_point");
});

test("a path below the run directory is taken without its last slash", () => {
  expect(checkRunPath("/run/kata-containers/shared/containers/", "x")).toBe(
    "/run/kata-containers/shared/containers",
  );
});

test.each([0, -1, 65, 1.5])("%d is no signal", (signal) => {
  expect(() => checkSignal(signal)).toThrow("signal");
});
