import { expect, it } from "vitest";
import { phasesToJson, renderPhases } from "./stopwatch.ts";

const PHASES = [
  { name: "cli: validate", startMs: 0, endMs: 5.25 },
  { name: "daemon: kernel", startMs: 20.04, endMs: 1000 },
  { name: "cli: delete", startMs: 1000, endMs: 1000.00049 },
];

it("prints phases aligned, each with a bar from its beginning to its end, and none without", () => {
  expect(renderPhases(PHASES)).toBe(
    "phase             start ms      end ms          ms\n" +
      "cli: validate          0.0         5.3         5.3  █\n" +
      `daemon: kernel        20.0      1000.0       980.0   ${"█".repeat(49)}\n` +
      `cli: delete         1000.0      1000.0         0.0  ${" ".repeat(49)}█\n`,
  );
});

it("prints phases as one line of JSON, to a microsecond", () => {
  expect(phasesToJson(PHASES)).toBe(
    '[{"name":"cli: validate","startMs":0,"endMs":5.25},{"name":"daemon: kernel","startMs":20.04,"endMs":1000},' +
      '{"name":"cli: delete","startMs":1000,"endMs":1000}]\n',
  );
});
