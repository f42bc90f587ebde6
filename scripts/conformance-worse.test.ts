import { expect, test } from "vitest";
import { isWorse } from "../tests/conformance/table.ts";

const outcome = (...notOk: string[]) =>
  ({ verdict: "fail", ok: 3, skipped: 0, notOk, seconds: 1, output: "" }) as const;
const ID = "123e4567-e89b-12d3-a456-426614174000";

test.each<[string, boolean, Parameters<typeof isWorse>]>([
  [
    "the same point is not ok, whatever the container's id",
    false,
    [outcome(`no ${ID}`), "fail 3 0 1", ["no ID"]],
  ],
  ["another point is not ok, as many", true, [outcome("b"), "fail 3 0 1", ["a"]]],
  ["one more is not ok", true, [outcome("a", "b"), "fail 3 0 1", ["a", "b"]]],
  ["fewer are not ok", false, [outcome("a"), "fail 2 0 2", ["a", "b"]]],
  ["fewer were printed", true, [outcome("a"), "fail 9 0 1", ["a"]]],
  ["it passes now", false, [{ ...outcome(), verdict: "pass" }, "fail 3 0 1", ["a"]]],
])("a conformance program is worse than the table says, or is not: %s", (_, worse, words) => {
  expect(isWorse(...words)).toBe(worse);
});
