import { expect, it } from "vitest";
import { timingFormat } from "./timing-options.ts";

it.each([
  [{ timing: false, "timing-format": undefined }, undefined],
  [{ timing: true, "timing-format": undefined }, "table"],
  [{ timing: false, "timing-format": "json" }, "json"],
  [{ timing: true, "timing-format": "table" }, "table"],
] as const)("%j is %s", (options, format) => {
  expect(timingFormat(options)).toBe(format);
});
