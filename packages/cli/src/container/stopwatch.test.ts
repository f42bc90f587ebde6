import { expect, it } from "vitest";
import { renderPhases } from "./stopwatch.ts";

it("prints phases in the order of their beginnings, aligned", () => {
  const text = renderPhases([
    { name: "daemon: kernel", startMs: 20.04, endMs: 1000 },
    { name: "cli: validate", startMs: 0, endMs: 5.25 },
  ]);
  expect(text).toBe(
    "phase             start ms      end ms          ms\n" +
      "cli: validate          0.0         5.3         5.3\n" +
      "daemon: kernel        20.0      1000.0       980.0\n",
  );
});
