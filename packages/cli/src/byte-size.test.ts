import { expect, test } from "vitest";
import { parseByteSize } from "./byte-size.ts";

test.each([
  ["0", 0],
  ["4096", 4096],
  ["512m", 512 << 20],
  ["1g", 2 ** 30],
  ["1.5GiB", 1.5 * 2 ** 30],
  ["2kb", 2048],
  ["-1", -1],
])("%s is %d bytes", (text, bytes) => expect(parseByteSize(text)).toBe(bytes));

test.each(["", "m", "-2", "1x", "1 2", "0x10", "99999999p"])("%j is no size", (text) =>
  expect(parseByteSize(text)).toBeUndefined(),
);
