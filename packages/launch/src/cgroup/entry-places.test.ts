import { type Ops, setOps } from "@kata-containers/sys";
import { textFiles } from "@kata-containers/sys/testing";
import { afterEach, expect, test } from "vitest";
import { entryPlaces } from "./entry-places.ts";

const V1 = { version: 1, controllers: ["pids"], mountpoint: "/p", path: "/c", directory: "/p/c" } as const;
const V2 = { version: 2, controllers: ["cpu"], mountpoint: "/cg", path: "/c", directory: "/cg/c" } as const;

afterEach(() => setOps(undefined));

const entry = (subtreeControl: string, membership: string) => {
  const files = { "/cg/c/cgroup.subtree_control": subtreeControl, "/proc/7/cgroup": membership };
  setOps(textFiles(files) as Ops);
  return entryPlaces([V1, V2], 7).map(({ directory }) => directory);
};

test("a container's group that takes no process any more is entered where its first process is", () => {
  expect(entry("\n", "0::/c/init\n")).toEqual(["/p/c", "/cg/c"]);
  expect(entry("cpu pids\n", "4:pids:/c\n0::/c/init.scope/x\n")).toEqual(["/p/c", "/cg/c/init.scope/x"]);
});

test.each(["0::/other\n", "0::/c-2/a\n", "0::/../c/a\n", "4:pids:/c/a\n", ""])(
  "a first process elsewhere (%j) leads nowhere else",
  (membership) => {
    expect(entry("cpu\n", membership)).toEqual(["/p/c", "/cg/c"]);
  },
);
