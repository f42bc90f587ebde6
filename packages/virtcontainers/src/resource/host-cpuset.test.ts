import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeFiles } from "../testing/node-files.ts";
import { HostCpuset } from "./host-cpuset.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kata-cpuset-"));
  setOps(nodeFiles());
});
afterEach(() => {
  setOps(undefined);
  rmSync(root, { recursive: true });
});

function cgroup(path: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(join(root, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, path, name), text);
  return join(root, path, "cgroup.procs");
}
const text = (path: string) => readFileSync(join(root, path), "utf8");

describe("cgroup v1", () => {
  let cpuset: HostCpuset;
  beforeEach(() => {
    cgroup("cpuset/docker", { "cpuset.cpus": "0-7\n", "cpuset.mems": "0-1\n" });
    cpuset = new HostCpuset([
      cgroup("memory/docker/c", {}),
      cgroup("cpuset/docker/c", { "cpuset.cpus": "0-7", "cpuset.mems": "0-1" }),
    ]);
  });

  test("the sandbox has its containers' CPUs and nodes together; a container without does not count", () => {
    cpuset.fit("a", undefined);
    cpuset.fit("b", { cpus: "3,1", mems: "1" });
    cpuset.fit("c", { cpus: "1-2" });
    expect(text("cpuset/docker/c/cpuset.cpus")).toBe("1,2,3");
    expect(text("cpuset/docker/c/cpuset.mems")).toBe("1");
    cpuset.fit("c", { quota: 5 });
    expect(text("cpuset/docker/c/cpuset.cpus")).toBe("1,2,3");
    cpuset.fit("c", { cpus: "4" });
    expect(text("cpuset/docker/c/cpuset.cpus")).toBe("1,3,4");
  });

  test("without any again it has what the cgroup above has", () => {
    cpuset.fit("b", { cpus: "3" });
    cpuset.forget("b");
    expect(text("cpuset/docker/c/cpuset.cpus")).toBe("0-7");
  });

  test("what is no list changes nothing", () => {
    cpuset.fit("a", { cpus: "1" });
    expect(() => cpuset.fit("b", { cpus: "x" })).toThrow("linux.resources.cpu.cpus: is no list of numbers");
    cpuset.fit("c", { cpus: "2" });
    expect(text("cpuset/docker/c/cpuset.cpus")).toBe("1,2");
  });
});

test("on cgroup v2 the controller is passed down first; empty is all", () => {
  cgroup("v2", { "cgroup.subtree_control": "cpuset cpu" });
  cgroup("v2/pod", { "cgroup.subtree_control": "memory", "cgroup.controllers": "" });
  const cpuset = new HostCpuset([cgroup("v2/pod/c", { "cgroup.controllers": "" })]);
  cpuset.fit("c", { cpus: "0" });
  expect(text("v2/cgroup.subtree_control")).toBe("cpuset cpu");
  expect(text("v2/pod/cgroup.subtree_control")).toBe("+cpuset");
  expect(text("v2/pod/c/cpuset.cpus")).toBe("0");
  cpuset.forget("c");
  expect(text("v2/pod/c/cpuset.cpus")).toBe("\n");
});

test("a host without the controller says so", () => {
  const cpuset = new HostCpuset([cgroup("memory/c", {})]);
  expect(() => cpuset.fit("c", { cpus: "0" })).toThrow(
    "linux.resources.cpu.cpus: cannot give the sandbox 0 of the host's: the host has no cpuset controller",
  );
});
