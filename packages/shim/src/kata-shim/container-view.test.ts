import { type Ops, S, SysError, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";
import { afterEach, describe, expect, it } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { enterContainerView } from "./container-view.ts";

afterEach(() => setOps(undefined));

const stat = { ...EMPTY_STAT, mode: S.IFDIR };
const names = (calls: readonly string[]) => calls.map((call) => call.slice(0, call.indexOf("(")));

/** A root of empty directories; opens give 100, 101, … */
function fakeHost(more: Partial<Ops> = {}) {
  let next = 100;
  return recordOps({ open: () => next++, openat2: () => next++, fstat: () => stat, ...more });
}

describe("a container's view that is built", () => {
  it("has left the host's tree, detached, before any volume is attached", () => {
    const { calls } = fakeHost();
    enterContainerView({ kind: "build", rootfsFd: 3, volumes: [{ treeFd: 4, destination: "/data" }] });
    const order = names(calls).filter((name) => ["mount", "moveMount", "pivotRoot", "umount"].includes(name));
    expect(order).toEqual(["mount", "moveMount", "pivotRoot", "umount", "moveMount"]);
  });

  it("makes every tree nosuid and nodev before it is attached", () => {
    const { calls } = fakeHost();
    enterContainerView({ kind: "build", rootfsFd: 3, volumes: [{ treeFd: 4, destination: "/data" }] });
    for (const tree of [3, 4]) {
      const restricted = calls.findIndex((call) => call.startsWith(`mountSetattr(${tree}, "", `));
      expect(calls[restricted]).toContain('"set":6');
      expect(restricted).toBeLessThan(calls.findIndex((call) => call.startsWith(`moveMount(${tree}, `)));
    }
  });

  it("closes every descriptor that it got or opened", () => {
    const { calls } = fakeHost();
    enterContainerView({ kind: "build", rootfsFd: 3, volumes: [{ treeFd: 4, destination: "/a/b" }] });
    const closed = calls.filter((call) => call.startsWith("close(")).sort();
    expect(closed).toEqual(["close(100)", "close(101)", "close(102)", "close(3)", "close(4)"]);
  });

  it("makes a volume's place when it is not there", () => {
    let missing = true;
    const { calls } = fakeHost({
      openat2: () => {
        if (missing) {
          missing = false;
          throw new SysError("ENOENT", "openat2");
        }
        return 200;
      },
    });
    enterContainerView({ kind: "build", rootfsFd: 3, volumes: [{ treeFd: 4, destination: "/data" }] });
    expect(calls).toContain('mkdirat(100, "data", 493)');
    expect(calls.filter((call) => call.startsWith('moveMount(4, "", 200, "", '))).toHaveLength(1);
  });

  it("leaves out a volume whose place cannot be made", () => {
    const { calls } = fakeHost({
      openat2: () => {
        throw new SysError("ENOENT", "openat2");
      },
      mkdirat: () => {
        throw new SysError("EROFS", "mkdirat");
      },
    });
    enterContainerView({ kind: "build", rootfsFd: 3, volumes: [{ treeFd: 4, destination: "/data" }] });
    expect(calls.filter((call) => call.startsWith("moveMount(4"))).toEqual([]);
  });

  it("fails when the host's tree cannot be left", () => {
    fakeHost({
      pivotRoot: () => {
        throw new SysError("EINVAL", "pivot_root");
      },
    });
    expect(() => enterContainerView({ kind: "build", rootfsFd: 3, volumes: [] })).toThrow(
      "cannot enter the container's mounts: pivot_root: EINVAL",
    );
  });
});

describe("a container's view that is joined", () => {
  it("is the mount namespace of the descriptor, which is closed", () => {
    const { calls } = fakeHost();
    enterContainerView({ kind: "join", mountNamespaceFd: 7 });
    expect(calls).toEqual(["setns(7, 131072)", "close(7)"]);
  });
});
