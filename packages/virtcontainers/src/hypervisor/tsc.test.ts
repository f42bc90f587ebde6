import { SysError } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { measureTsc } from "./tsc.ts";

test("the frequency is the counter's ticks between two samples that are far enough apart", async () => {
  const samples = [
    { ticks: 1e15, ms: 500 },
    { ticks: 1e15 + 2_596_100, ms: 501 },
    { ticks: 1e15 + 2_596_100 * 5, ms: 505 },
  ];
  const khz = measureTsc({ tsc: () => samples.shift() ?? { ticks: 0, ms: 0 } });
  expect(await khz()).toBe(2_596_100);
  expect(samples).toEqual([]);
});

test("a machine without the counter has no frequency", async () => {
  const khz = measureTsc({
    tsc: () => {
      throw new SysError("ENODEV", "tsc");
    },
  });
  expect(await khz()).toBeUndefined();
});
