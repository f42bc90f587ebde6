import { expect, test } from "vitest";
import { parseBinaryUri } from "./task-stdio.ts";

test.each([
  ["binary:///usr/bin/log", "/usr/bin/log", []],
  ["binary:///usr/bin/log?id=a%20b&plain&x=1=2", "/usr/bin/log", ["id", "a b", "plain", "x", "1=2"]],
  ["binary:///a%20b?k=", "/a b", ["k"]],
])("%s", (uri, path, args) => {
  expect(parseBinaryUri(uri)).toEqual({ path, args });
});

test("a wrong escape is an error", () => {
  expect(() => parseBinaryUri("binary:///a?k=%zz")).toThrow(/wrong escape/);
});
