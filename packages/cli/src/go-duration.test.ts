import { expect, test } from "vitest";
import { parseGoDuration } from "./go-duration.ts";

test.each([
  ["5s", 5000],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["10us", 0.01],
])("%s is %d ms", (text, ms) => expect(parseGoDuration(text)).toBeCloseTo(ms, 9));

test.each(["", "5", "s", "-1s", "1s x"])("%j is no duration", (text) =>
  expect(parseGoDuration(text)).toBeUndefined(),
);
