import { expect, it } from "vitest";
import { parseRootless } from "./rootless-option.ts";

it.each([
  [undefined, "auto"],
  ["", "auto"],
  ["Auto", "auto"],
  ["1", true],
  ["TRUE", true],
  ["0", false],
  ["f", false],
])("%j is %j, as runc reads it", (text, value) => {
  expect(parseRootless(text)).toBe(value);
});

it.each(["yes", "tRUE", " true"])("%j is refused", (text) => {
  expect(() => parseRootless(text)).toThrow(`--rootless: ${JSON.stringify(text)} is not true, false or auto`);
});
