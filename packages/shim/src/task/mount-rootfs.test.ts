import { MS, setOps } from "@kata-containers/sys";
import { afterEach, describe, expect, it } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { commonDirectory, mountRootfs } from "./mount-rootfs.ts";

afterEach(() => setOps(undefined));

/** The calls that change something. */
function record() {
  const { calls } = recordOps({ utf8Encode: (text) => new TextEncoder().encode(text) });
  return () => calls.filter((call) => !call.startsWith("utf8Encode"));
}

const mount = (type: string, source: string, options: string[], target = "") => ({
  type,
  source,
  options,
  target,
});

describe("mountRootfs", () => {
  it("mounts an overlay with its data", () => {
    const calls = record();
    mountRootfs(
      [mount("overlay", "overlay", ["lowerdir=/a:/b", "upperdir=/u", "workdir=/w", "nodev"])],
      "/r",
    );
    expect(calls()).toEqual([
      `mount("overlay", "/r", "overlay", ${MS.NODEV}, "lowerdir=/a:/b,upperdir=/u,workdir=/w")`,
    ]);
  });

  it("makes a bind read-only by a second mount, for the first takes no flags", () => {
    const calls = record();
    mountRootfs([mount("bind", "/s", ["rbind", "ro"])], "/r");
    expect(calls()).toEqual([
      `mount("/s", "/r", "", ${MS.BIND | MS.REC}, "")`,
      `mount("", "/r", "", ${MS.REMOUNT | MS.BIND | MS.RDONLY}, "")`,
    ]);
  });

  it("tells layers that do not fit in a page from where most of them are", () => {
    const layers = Array.from({ length: 120 }, (_, index) => `/var/lib/containerd/snapshots/${index}/fs`);
    const calls = record();
    mountRootfs([mount("overlay", "overlay", [`lowerdir=${layers.join(":")}`, "upperdir=/u"])], "/r");
    expect(calls()[0]).toBe('chdir("/var/lib/containerd/snapshots")');
    expect(calls()[1]).toContain('"lowerdir=0/fs:1/fs:');
    expect(calls()[1]).toContain(',upperdir=/u")');
  });

  it("refuses options that the kernel would cut", () => {
    const calls = record();
    expect(() => mountRootfs([mount("ext4", "/dev/x", [`x=${"y".repeat(4096)}`])], "/r")).toThrow(
      /the limit is 4095/,
    );
    expect(calls()).toEqual([]);
  });

  it.each([
    [mount("mkdir/overlay", "overlay", []), /transformations are not supported/],
    [mount("bind", "/s", ["bind"], "sub"), /a target below it \(sub\) is not supported/],
    [mount("ext4", "/img", ["loop"]), /option loop is not supported/],
    [mount("ext4", "/img", ["X-containerd.x=1"]), /option X-containerd.x=1 is not supported/],
  ])("refuses %j", (what, reason) => {
    const calls = record();
    expect(() => mountRootfs([what], "/r")).toThrow(reason);
    expect(calls()).toEqual([]);
  });
});

it.each([
  [["/a/b/c", "/a/b/d"], "/a/b"],
  [["/a/b/c"], "/a/b"],
  [["/a/b", "/a/b/c"], "/a"],
  [["/a/b", "/c/d"], "/"],
  [[], "/"],
])("commonDirectory(%j) is %s", (paths, common) => {
  expect(commonDirectory(paths)).toBe(common);
});
