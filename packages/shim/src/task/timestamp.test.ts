import { expect, test } from "vitest";
import { timestampOf } from "./timestamp.ts";

test.each([
  [0, { seconds: 0, nanos: 0 }],
  [1_700_000_000_123, { seconds: 1_700_000_000, nanos: 123_000_000 }],
  [1_700_000_000_123.456, { seconds: 1_700_000_000, nanos: 123_456_000 }],
  // What rounds up is the next second, not 10^9 nanoseconds.
  [1999.9999, { seconds: 2, nanos: 0 }],
  // Before the epoch, nanoseconds count forwards all the same.
  [-1, { seconds: -1, nanos: 999_000_000 }],
])("%d ms are %o", (ms, timestamp) => {
  expect(timestampOf(ms)).toEqual(timestamp);
});
