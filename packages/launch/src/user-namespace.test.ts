import { expect, test } from "vitest";
import { isInitialMap } from "./user-namespace.ts";

test.each([
  ["the host's", "         0          0 4294967295\n", true],
  ["a user's own", "         0       1000          1\n", false],
  ["podman's", "         0       1000          1\n         1     100000      65536\n", false],
  ["one that is not mapped yet", "", false],
])("the map of a user namespace tells the first one: %s", (_, text, isInitial) => {
  expect(isInitialMap(text)).toBe(isInitial);
});
