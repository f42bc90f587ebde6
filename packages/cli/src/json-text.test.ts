import { expect, test } from "vitest";
import { jsonText } from "./json-text.ts";

test("64-bit integers are written in full, and members without a value are left out", () => {
  const value = { a: 18446744073709551615n, b: [1, null, "x\n"], c: undefined, d: {} };
  expect(jsonText(value)).toBe('{"a":18446744073709551615,"b":[1,null,"x\\n"],"d":{}}');
});
