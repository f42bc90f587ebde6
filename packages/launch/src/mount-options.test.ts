import { MOUNT_ATTR, MS } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { mountOptionNames, newMountAttributes, parseMountOptions } from "./mount-options.ts";

const { RDONLY, NOSUID, NODEV, NOEXEC, ATIME, NOATIME, STRICTATIME } = MOUNT_ATTR;

test.each([
  [["rw", "exec", "suid", "dev"], 0, RDONLY | NOEXEC | NOSUID | NODEV],
  [["ro", "nosuid"], RDONLY | NOSUID, 0],
  [["ro", "rw"], 0, RDONLY],
  [["rw", "ro"], RDONLY, 0],
  [["noatime"], NOATIME, ATIME],
  [["noatime", "strictatime"], STRICTATIME, ATIME],
  [["strictatime", "relatime"], 0, ATIME],
  [["atime"], 0, ATIME],
])("a bind with %j sets and clears what it says, whatever its source has", (options, set, clear) => {
  expect(parseMountOptions(options)).toMatchObject({
    set,
    clear,
    setRecursive: 0,
    clearRecursive: 0,
    data: "",
  });
  const recursive = options.map((option) => `r${option}`);
  expect(parseMountOptions(recursive)).toMatchObject({
    set: 0,
    clear: 0,
    setRecursive: set,
    clearRecursive: clear,
    data: "",
  });
});

test("what is of a new file system alone is no data of it", () => {
  const { flags, data } = parseMountOptions(["iversion", "rro", "rnoexec", "size=1m", "remount"]);
  expect(flags).toBe(MS.I_VERSION | MS.RDONLY | MS.NOEXEC | MS.REMOUNT);
  expect(data).toBe("size=1m");
});

test("what an object of JavaScript has anyway is an option of the file system like others", () => {
  const { data, propagation } = parseMountOptions(["constructor", "rtoString", "valueOf"]);
  expect({ data, propagation }).toEqual({ data: "constructor,rtoString,valueOf", propagation: 0 });
});

test("every option's recursive form is listed where it is understood", () => {
  expect(mountOptionNames()).toEqual(
    expect.arrayContaining(["rro", "rrw", "rrelatime", "rnorelatime", "rsymfollow"]),
  );
});

test.each([
  [["ro", "nosuid", "nodev", "noexec"], RDONLY | NOSUID | NODEV | NOEXEC],
  [["relatime", "sync", "lazytime"], 0],
  [["noatime", "nodiratime"], NOATIME | MOUNT_ATTR.NODIRATIME],
  [["noatime", "strictatime"], STRICTATIME],
  [["rro", "nosymfollow"], RDONLY | MOUNT_ATTR.NOSYMFOLLOW],
])("a new mount with %j has the attributes that mount(2) gives it", (options, attributes) => {
  expect(newMountAttributes(parseMountOptions(options).flags)).toBe(attributes);
});
