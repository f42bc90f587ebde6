import { setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { Phases } from "./phases.ts";

afterEach(() => setOps(undefined));

test("a pod's containers, however many, are one phase: the last one's", async () => {
  let now = 0;
  setOps(Object.assign(Object.create(null), { monotonicMs: () => now++ }));
  const phases = new Phases();
  phases.end("agent");
  for (let container = 0; container < 3; container++) await phases.measure("container", async () => {});
  expect(phases.list()).toEqual([
    { name: "agent", startMs: 0, endMs: 1 },
    { name: "container", startMs: 6, endMs: 7 },
  ]);
});
