import { CLONE, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { checkNamespacesOf } from "./namespace-paths.ts";

/** Those that a container without a pod has to name, but for the one of the test. */
const NEW = [{ type: "pid" }, { type: "ipc" }] as const;
const PATHS = ["/ns/net", "/etc/hosts"];
let closed: number[] = [];

afterEach(() => setOps(undefined));

function check(type: "network" | "ipc", path: string): void {
  closed = [];
  recordOps({
    open: (name) => {
      if (!PATHS.includes(name)) throw new SysError("ENOENT", "open", name);
      return PATHS.indexOf(name);
    },
    close: (fd) => void closed.push(fd),
    namespaceType: (fd) => {
      if (fd === 0) return CLONE.NEWNET;
      throw new SysError("ENOTTY", "ioctl NS_GET_NSTYPE");
    },
  });
  checkNamespacesOf({
    ociVersion: "1.2.0",
    root: { path: "/" },
    linux: { namespaces: [...NEW, { type, path }] },
  });
}

test("a namespace of the type that is named is taken, and a new one", () => {
  check("network", "/ns/net");
  expect(closed).toEqual([0]);
  check("network", "");
  expect(closed).toEqual([]);
});

test("one of another type, a file that is none, and none are refused by name", () => {
  expect(() => check("ipc", "/ns/net")).toThrow("linux.namespaces: ipc: /ns/net is no ipc namespace");
  expect(() => check("network", "/etc/hosts")).toThrow(
    "linux.namespaces: network: /etc/hosts is no network namespace",
  );
  expect(closed).toEqual([1]);
  expect(() => check("network", "/nowhere")).toThrow(/^linux\.namespaces: network: .*\/nowhere/);
});

test("one of the host's kernel, which a VM cannot join, is refused too", () => {
  recordOps({ open: () => 3, close: () => {}, namespaceType: () => CLONE.NEWIPC });
  const namespaces = [{ type: "ipc" as const, path: "/proc/7/ns/ipc" }];
  expect(() =>
    checkNamespacesOf({ ociVersion: "1.2.0", root: { path: "/" }, linux: { namespaces } }),
  ).toThrow("linux.namespaces: ipc: only a container of a pod can join one");
});
