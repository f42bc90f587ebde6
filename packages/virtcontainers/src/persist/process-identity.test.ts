import { expect, test } from "vitest";
import { startTimeOf } from "./process-identity.ts";

const stat = (name: string, state: string): string =>
  `42 (${name}) ${state} 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 987654 1000 20 18446744073709551615`;

test("the start time is found whatever the program is called", () => {
  for (const name of ["qemu", "a b", ") S 1 (", "x) R 2 3"])
    expect(startTimeOf(stat(name, "S"))).toBe(987654);
});

test("a zombie is no living process", () => {
  expect(startTimeOf(stat("qemu", "Z"))).toBeUndefined();
});
