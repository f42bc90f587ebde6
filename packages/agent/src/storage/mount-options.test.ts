import { MS } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { mountOptions } from "./mount-options.ts";

test("flags and the file system's own options part", () => {
  expect(mountOptions(["ro", "nodev", "size=1M", "mode=1777"])).toEqual({
    flags: MS.RDONLY | MS.NODEV,
    data: "size=1M,mode=1777",
  });
});

test("a later word takes an earlier one back", () => {
  expect(mountOptions(["ro", "rw"])).toEqual({ flags: 0, data: "" });
});
