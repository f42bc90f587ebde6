import { expect, test } from "vitest";
import { legacyHierarchies } from "./mounts.ts";

test("enabled controllers become hierarchies, cpu and cpuacct a common one", () => {
  const text = [
    "#subsys_name\thierarchy\tnum_cgroups\tenabled",
    "cpuset\t0\t1\t1",
    "cpu\t0\t1\t1",
    "cpuacct\t0\t1\t1",
    "memory\t0\t1\t0",
    "pids\t0\t1\t1",
    "",
  ].join("\n");
  expect(legacyHierarchies(text)).toEqual(["cpuset", "cpu,cpuacct", "pids"]);
});

test("cpu alone keeps its name", () => {
  expect(legacyHierarchies("cpu\t0\t1\t1\ncpuacct\t0\t1\t0\n")).toEqual(["cpu"]);
});
