import { MS, type Ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KernelModules } from "../boot/kernel-modules.ts";
import type { StorageDriver } from "./driver.ts";
import { ephemeralStorage } from "./ephemeral.ts";
import { localStorage } from "./local.ts";

let calls: string[];
beforeEach(() => {
  calls = [];
  const fake: Partial<Ops> = {
    statIfThere: () => undefined,
    mkdir: () => {},
    chown: (_path, uid, gid) => void calls.push(`chown ${uid}:${gid}`),
    chmod: (_path, mode) => void calls.push(`chmod ${mode.toString(8)}`),
    mount: (_source, _target, type, flags, data) => void calls.push(`mount ${type} ${flags} ${data}`),
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

function attach(driver: StorageDriver, ...options: string[]): string[] {
  driver(
    { source: "", fstype: "", options, mountPoint: "/run/v" },
    new KernelModules({ boot: [], needs: {} }),
  );
  return calls;
}

test("a directory of a group's is set to the group first, for that clears the setgid bit", () => {
  expect(attach(localStorage, "fsgid=2000", "mode=0770")).toEqual(["chown 0:2000", "chmod 2770"]);
});

test("a directory is everybody's unless its mode is said", () => {
  expect(attach(localStorage)).toEqual(["chmod 777"]);
});

test("a tmpfs of a group's has its gid and the setgid bit, and keeps its other options", () => {
  expect(attach(ephemeralStorage, "fsgid=2000", "size=1m", "nodev", "mode=770")).toEqual([
    `mount tmpfs ${MS.NODEV} size=1m,gid=2000,mode=2770`,
  ]);
});

test("a tmpfs is everybody's unless its mode is said", () => {
  expect(attach(ephemeralStorage)).toEqual(["mount tmpfs 0 mode=1777"]);
});

test.each([
  [localStorage, "size=1m", "storage option size=1m: not of a local storage"],
  [localStorage, "mode=8", "storage option mode=8: is not an octal mode"],
  [localStorage, "fsgid=x", "storage option fsgid=x: is not a group id"],
  [ephemeralStorage, "fsgid=4294967295", "storage option fsgid=4294967295: is not a group id"],
])("what a volume cannot have is refused before it is made", (driver, option, message) => {
  expect(() => attach(driver, option)).toThrow(message);
  expect(calls).toEqual([]);
});
