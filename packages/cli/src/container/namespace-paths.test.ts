import { CLONE, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { useOps } from "../testing/fake-ops.ts";
import { checkNamespacePaths } from "./namespace-paths.ts";

const PATHS = ["/ns/uts", "/etc/hosts"];
let closed: number[] = [];

afterEach(() => setOps(undefined));

function check(type: "uts" | "ipc", path: string): void {
  closed = [];
  useOps({
    open: (name) => {
      if (!PATHS.includes(name)) throw new SysError("ENOENT", "open", name);
      return PATHS.indexOf(name);
    },
    close: (fd) => void closed.push(fd),
    namespaceType: (fd) => {
      if (fd === 0) return CLONE.NEWUTS;
      throw new SysError("ENOTTY", "ioctl NS_GET_NSTYPE");
    },
  });
  checkNamespacePaths({ ociVersion: "1.2.0", root: { path: "/" }, linux: { namespaces: [{ type, path }] } });
}

test("a namespace of the type that is named is taken, and a new one", () => {
  check("uts", "/ns/uts");
  expect(closed).toEqual([0]);
  check("uts", "");
  expect(closed).toEqual([]);
});

test("one of another type, a file that is none, and none are refused by name", () => {
  expect(() => check("ipc", "/ns/uts")).toThrow("linux.namespaces: ipc: /ns/uts is no ipc namespace");
  expect(() => check("uts", "/etc/hosts")).toThrow("linux.namespaces: uts: /etc/hosts is no uts namespace");
  expect(closed).toEqual([1]);
  expect(() => check("uts", "/nowhere")).toThrow(/^linux\.namespaces: uts: .*\/nowhere/);
});
