import fs from "node:fs";
import os from "node:os";
import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sandboxHash } from "../paths.ts";
import { nodeFiles } from "../testing/node-files.ts";
import { createFileStore } from "./file-store.ts";
import type { SandboxRecord } from "./record.ts";

let dir = "";

beforeEach(() => {
  setOps(nodeFiles());
  dir = fs.mkdtempSync(`${os.tmpdir()}/store-`);
});
afterEach(() => {
  setOps(undefined);
  fs.rmSync(dir, { recursive: true });
});

const record = (id: string): SandboxRecord => ({
  version: 1,
  id,
  root: `${dir}/root`,
  bootId: "b",
  socket: "/s",
  configPath: "/c",
  cgroups: { sandbox: "/a", daemon: "/b" },
  resources: [],
  containers: [],
});
const store = () => createFileStore(`${dir}/root`, `${dir}/index`);

test("a record is read back as it was written, and changed in one step", () => {
  store().create(record("c"));
  expect(store().load("c")).toEqual(record("c"));
  store().update("c", (old) => ({ ...old, socket: "/t" }));
  expect(store().load("c").socket).toBe("/t");
  expect(fs.readdirSync(`${dir}/root/c`)).toEqual(["persist.json"]);
});

test("only its owner may read it", () => {
  store().create(record("c"));
  expect(fs.statSync(`${dir}/root/c`).mode & 0o777).toBe(0o700);
  expect(fs.statSync(`${dir}/root/c/persist.json`).mode & 0o777).toBe(0o600);
});

test("the index finds it whatever its root is", () => {
  store().create(record("c"));
  expect(fs.readlinkSync(`${dir}/index/${sandboxHash(`${dir}/root`, "c")}`)).toBe(`${dir}/root/c`);
});

test("an id in use is refused and left as it was", () => {
  store().create(record("c"));
  expect(() => store().create({ ...record("c"), socket: "/other" })).toThrow(
    "container with given ID already exists: c",
  );
  expect(store().load("c").socket).toBe("/s");
});

test("an unknown id is not found", () => {
  for (const use of [() => store().load("x"), () => store().update("x", (old) => old)]) {
    expect(use).toThrow('container "x" does not exist');
  }
});

test("after remove nothing is left, and a second remove is no error", () => {
  store().create(record("c"));
  store().remove("c");
  store().remove("c");
  expect(store().list()).toEqual([]);
  expect(fs.readdirSync(`${dir}/index`)).toEqual([]);
});

test("a removal that is cut short at any step is finished by another", () => {
  const cut = (): never => {
    throw new SysError("EIO", "cut", "");
  };
  for (let steps = 0; steps < 8; steps++) {
    let left = steps;
    const real = nodeFiles();
    store().create(record("c"));
    setOps(
      nodeFiles({
        unlink: (path) => (left-- > 0 ? real.unlink(path) : cut()),
        unlinkat: (...args) => (left-- > 0 ? real.unlinkat(...args) : cut()),
      }),
    );
    try {
      store().remove("c");
    } catch {
      // As if it had been killed.
    }
    setOps(nodeFiles());
    // Whoever comes next asks for what is there.
    if (store().list().includes("c")) store().remove("c");
    expect({ steps, index: fs.readdirSync(`${dir}/index`), list: store().list() }).toEqual({
      ...{ steps, index: [], list: [] },
    });
  }
});

test("a state directory that cannot be written is named, and nothing is left of the id", () => {
  setOps(
    nodeFiles({
      fsync: () => {
        throw new SysError("ENOSPC", "fsync", "");
      },
    }),
  );
  expect(() => store().create(record("c"))).toThrow(/cannot write state .*root\/c\/persist.json.*ENOSPC/);
  setOps(nodeFiles());
  expect(store().list()).toEqual([]);
});

test("a container that has joined a sandbox finds the sandbox's record", () => {
  store().create(record("s"));
  store().join("c", "s");
  expect(store().load("c").id).toBe("s");
  store().update("c", (old) => ({ ...old, socket: "/t" }));
  expect(store().load("s").socket).toBe("/t");
  expect(store().list()).toEqual(["c", "s"]);
});

test("one id names one container, be it a sandbox or one that has joined", () => {
  store().create(record("s"));
  store().join("c", "s");
  expect(() => store().join("c", "s")).toThrow("container with given ID already exists: c");
  expect(() => store().join("s", "s")).toThrow("container with given ID already exists: s");
  expect(() => store().create(record("c"))).toThrow("container with given ID already exists: c");
});

test("a container that leaves gives up its id alone; a sandbox takes all of its containers' along", () => {
  store().create(record("s"));
  store().join("c", "s");
  store().join("d", "s");
  store().remove("c");
  expect(store().list()).toEqual(["d", "s"]);
  expect(store().load("d").id).toBe("s");
  store().remove("s");
  expect(fs.readdirSync(`${dir}/root`)).toEqual([]);
});

test.each(["open", "rename"] as const)(
  "a record that is removed while it is being changed does not exist (%s)",
  (op) => {
    store().create(record("c"));
    const files = nodeFiles();
    const removing = (...args: unknown[]): unknown => {
      if (args.some((arg) => String(arg).endsWith(".tmp"))) store().remove("c");
      return Reflect.apply(files[op], files, args);
    };
    setOps(nodeFiles({ [op]: removing }));
    expect(() => store().update("c", (old) => old)).toThrow('container "c" does not exist');
  },
);
