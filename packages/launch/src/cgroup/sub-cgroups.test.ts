import { type Ops, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { subCgroups } from "./sub-cgroups.ts";

const place = (version: 1 | 2, mountpoint: string, ...controllers: string[]) => {
  const path = "/c";
  return { version, controllers, mountpoint, path, directory: `${mountpoint}${path}` } as const;
};
const V1 = [place(1, "/cpu", "cpu", "cpuacct"), place(1, "/mem", "memory"), place(2, "/unified")];
const V2 = [place(2, "/cg", "cpu", "memory")];

let there: string[];

beforeEach(() => {
  there = [];
  setOps({ statIfThere: (path) => (there.includes(path) ? EMPTY_STAT : undefined) } as Partial<Ops> as Ops);
});
afterEach(() => setOps(undefined));

const directories = (...wanted: Parameters<typeof subCgroups>) =>
  subCgroups(...wanted).map(({ directory }) => directory);

test("without a controller it is the same path in every v1 hierarchy, or in v2's", () => {
  there = ["/cpu/c/a/b", "/mem/c/a/b", "/cg/c/a"];
  expect(directories(V1, ["a/b"])).toEqual(["/cpu/c/a/b", "/mem/c/a/b", "/unified/c"]);
  expect(directories(V2, ["/a/"])).toEqual(["/cg/c/a"]);
});

test("with controllers it is in their hierarchies alone", () => {
  there = ["/cpu/c/x", "/mem/c/y"];
  expect(directories(V1, ["cpuacct:x", "memory:/y"])).toEqual(["/cpu/c/x", "/mem/c/y", "/unified/c"]);
});

test("a controller that is none, a group that is not there, and a path that leads out are refused", () => {
  expect(() => subCgroups(V1, ["nosuch:a"])).toThrow("unknown controller nosuch");
  expect(() => subCgroups(V1, ["memory:a"])).toThrow("/mem/c/a does not exist");
  expect(() => subCgroups(V1, ["memory:a/../.."])).toThrow("is not below the container's control group");
});
