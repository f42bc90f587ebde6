import { expect, test } from "vitest";
import { validateContainerId } from "./container-id.ts";

test.each(["a", "A-b_c.d+9", "x".repeat(255)])("%s is an id", (id) => {
  expect(validateContainerId(id)).toBe(id);
});

test("an empty id gets runc's text", () => {
  expect(() => validateContainerId("")).toThrow("container id cannot be empty");
});

test.each([".", "..", "a/b", "a b", "a\n", "ä", "x".repeat(256)])("%j is refused", (id) => {
  expect(() => validateContainerId(id)).toThrow(/^invalid container ID format: /);
});
