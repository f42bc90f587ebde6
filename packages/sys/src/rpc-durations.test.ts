import { afterEach, expect, test } from "vitest";
import type { Ops } from "./ops.gen.ts";
import { setOps } from "./ops.ts";
import { RpcDurations } from "./rpc-durations.ts";

afterEach(() => setOps(undefined));

const lines = (durations: RpcDurations): string[] => durations.metrics("x").trimEnd().split("\n");

test("a call is counted in each bucket whose bound it does not exceed", () => {
  const durations = new RpcDurations();
  for (const ms of [0, 1, 1.5, 512, 513, 1e9]) durations.observe("create", ms);
  expect(lines(durations)).toEqual([
    "# TYPE x histogram",
    ...[
      ["1", 2],
      ["2", 3],
      ["4", 3],
      ["8", 3],
      ["16", 3],
      ["32", 3],
      ["64", 3],
      ["128", 3],
      ["256", 3],
      ["512", 4],
      ["+Inf", 6],
    ].map(([le, count]) => `x_bucket{action="create",le="${le}"} ${count}`),
    'x_sum{action="create"} 1000001027.5',
    'x_count{action="create"} 6',
  ]);
});

test("each action has a histogram of its own, in one family; without a call there is none", () => {
  const durations = new RpcDurations();
  expect(durations.metrics("x")).toBe("");
  durations.observe("a", 1);
  durations.observe("b", 1);
  const text = durations.metrics("x");
  expect(text.match(/# TYPE/g)).toHaveLength(1);
  expect(text).toContain('x_count{action="a"} 1\n');
  expect(text).toContain('x_count{action="b"} 1\n');
});

test("a call that fails took time as well", async () => {
  let now = 0;
  setOps({ monotonicMs: () => now } as unknown as Ops);
  const durations = new RpcDurations();
  const failing = durations.measure("a", async () => {
    now = 3;
    throw new Error("refused");
  });
  await expect(failing).rejects.toThrow("refused");
  expect(durations.metrics("x")).toContain('x_sum{action="a"} 3\n');
});

test("what was counted can be forgotten", () => {
  const durations = new RpcDurations();
  durations.observe("a", 1);
  durations.clear();
  expect(durations.metrics("x")).toBe("");
  durations.observe("b", 1);
  expect(durations.metrics("x")).not.toContain('"a"');
});
