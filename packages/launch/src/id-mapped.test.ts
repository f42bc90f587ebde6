import { expect, test } from "vitest";
import { compile, find, makeSpec } from "./testing/compile.ts";

const MAPPING = [{ containerID: 0, hostID: 1000, size: 10 }];
const USERS = {
  namespaces: [{ type: "mount" }, { type: "user" }],
  uidMappings: MAPPING,
  gidMappings: MAPPING,
};
const plan = (mount: object, linux: object = {}) =>
  compile(makeSpec({ mounts: [{ destination: "/m", type: "bind", source: "/s", ...mount }] }, linux)).plan;

test("its source is opened by whoever has the right to, before the user namespace, and mounted from there", () => {
  const { stage, init } = plan({ options: ["rbind", "ridmap"] }, USERS);
  expect(stage[0]).toEqual({
    op: "open_tree",
    source: "/s",
    recursive: true,
    map: { uid: "0 1000 10\n", gid: "0 1000 10\n" },
    mapRecursive: true,
    as: "tree-0",
  });
  expect(find(init, "bind")[1]).toMatchObject({ tree: "tree-0", target: "/m" });
});

test("mappings of its own win over the container's", () => {
  const own = [{ containerID: 5, hostID: 6, size: 1 }];
  const { stage } = plan({ options: ["bind"], uidMappings: own, gidMappings: own }, USERS);
  expect(find(stage, "open_tree")[0]).toMatchObject({
    map: { uid: "5 6 1\n", gid: "5 6 1\n" },
    mapRecursive: false,
    recursive: false,
  });
});

test("those of a user namespace that is joined are asked of itself", () => {
  const namespaces = [{ type: "mount" }, { type: "user", path: "/proc/7/ns/user" }];
  expect(find(plan({ options: ["bind", "idmap"] }, { namespaces }).stage, "open_tree")[0]?.map).toBe(
    "/proc/7/ns/user",
  );
});
