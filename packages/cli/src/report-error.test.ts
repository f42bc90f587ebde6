import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reportError } from "./report-error.ts";
import { useOps } from "./testing/fake-ops.ts";

let told: string;

beforeEach(() => {
  told = "";
  useOps({
    writeSync: (_fd, bytes) => {
      told += new TextDecoder().decode(bytes);
    },
  });
});
afterEach(() => setOps(undefined));

const nowhere = { program: "kata-runtime", log: undefined, logFormat: "text" } as const;

test("an error is one line, whatever its reason has in it", () => {
  reportError(nowhere, "cannot start VM:\n  QEMU\tended");
  expect(told).toBe("kata-runtime: cannot start VM: QEMU ended\n");
});

test("a guest's words cannot command the terminal", () => {
  reportError(nowhere, "Kernel panic: \u001b]0;title\u0007\u009b31m\u202e");
  expect(told).toBe("kata-runtime: Kernel panic: ?]0;title??31m?\n");
});

test("nor fill it", () => {
  reportError(nowhere, "x".repeat(4 << 20));
  expect(told.length).toBeLessThan(5000);
  expect(told).toMatch(/x …\n$/);
});
