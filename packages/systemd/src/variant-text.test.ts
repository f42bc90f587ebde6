import { expect, test } from "vitest";
import { parseVariant } from "./variant-text.ts";

test.each([
  ["true", "b", true],
  ["7", "i", 7],
  ["-7", "i", -7],
  ["0x10", "i", 16],
  ["010", "i", 8],
  ["1.5", "d", 1.5],
  ["1e3", "d", 1000],
  ["double 0x10", "d", 16],
  ["uint64 10000000", "t", 10_000_000n],
  ["int64 -1", "x", -1n],
  ["byte 0x7f", "y", 127],
  ["'inactive-or-failed'", "s", "inactive-or-failed"],
  [`"it's"`, "s", "it's"],
  [String.raw`'a\'b\\\n\u00e9'`, "s", "a'b\\\né"],
  ["['crio.service', 'x']", "as", ["crio.service", "x"]],
  ["@as []", "as", []],
  ["@at [1, 2]", "at", [1n, 2n]],
  ["@s 'x' ", "s", "x"],
  ["objectpath '/a'", "o", "/a"],
])("%s", (text, type, value) => {
  expect(parseVariant(text)).toEqual({ type, value });
});

test.each([
  ...["", "[]", "[", "[1", "[1 2]", "[1, 'a']", "yes", "'a", "1 2", "true]", "uint32 'a'", "string 1"],
  ...["uint32 [1]", "(1, 2)", "{'a': 1}", "<1>", "@ay 1", "constructor 1", "boolean 1", "int32 1.5"],
  ...["09", "0x", "1.5.2", "-", "e1"],
])("%s is none", (text) => {
  expect(() => parseVariant(text)).toThrow(/is no value of systemd's/);
});
