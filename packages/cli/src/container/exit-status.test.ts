import { expect, it } from "vitest";
import { launchFailureStatus } from "./exit-status.ts";

it.each([
  ['exec: "foo": executable file not found in $PATH', 127],
  ['cannot create container x: exec: "/foo": stat /foo: no such file or directory', 127],
  ['exec: "/etc/passwd": permission denied', 126],
  ['exec: "/etc": is a directory', 126],
  ["kernel /x: no such file or directory", 1],
  ["agent: connection lost", 1],
])("tells by the text what a shell would exit with: %s", (message, status) => {
  expect(launchFailureStatus(message)).toBe(status);
});
