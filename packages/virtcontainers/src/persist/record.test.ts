import { expect, test } from "vitest";
import { createMemoryStore } from "./memory-store.ts";
import {
  type ContainerRecord,
  parseRecord,
  type SandboxRecord,
  withContainer,
  withoutContainer,
  withResource,
} from "./record.ts";

const container: ContainerRecord = {
  id: "c",
  rootfs: "/b/rootfs",
  bundle: "/b",
  status: "created",
  pid: 7,
  createdMs: 1,
  exitStatus: 0,
  exitedAtMs: 0,
  annotations: {},
  ociVersion: "1.0.2",
};
const record: SandboxRecord = {
  version: 1,
  id: "c",
  root: "/r",
  bootId: "boot",
  socket: "/s",
  configPath: "/c.toml",
  cgroups: { sandbox: "/a", daemon: "/b" },
  resources: [{ kind: "process", name: "qemu", identity: { pid: 3, startTime: 4 } }],
  containers: [container],
};

test("a record survives its file", () => {
  expect(parseRecord(JSON.stringify(record), "x")).toEqual(record);
});

test("a damaged record names its file", () => {
  const damaged = ["", "{", "[]", "{}", JSON.stringify({ ...record, resources: [{ kind: "process" }] })];
  for (const text of damaged)
    expect(() => parseRecord(text, "/r/c/persist.json")).toThrow(/\/r\/c\/persist.json/);
});

test("a container replaces its earlier self and keeps the others", () => {
  const other = { ...container, id: "d" };
  const both = withContainer(withContainer(record, other), { ...container, status: "running" });
  expect(both.containers.map((each) => [each.id, each.status])).toEqual([
    ["d", "created"],
    ["c", "running"],
  ]);
  expect(withoutContainer(both, "d").containers).toHaveLength(1);
});

test("resources keep the order in which they were made", () => {
  const more = withResource(record, { kind: "socket", path: "/s" });
  expect(more.resources.map((each) => each.kind)).toEqual(["process", "socket"]);
});

test("of two creates of one id, one wins", () => {
  const store = createMemoryStore();
  store.create(record);
  expect(() => store.create(record)).toThrow("container with given ID already exists: c");
  store.remove("c");
  expect(() => store.load("c")).toThrow('container "c" does not exist');
});
