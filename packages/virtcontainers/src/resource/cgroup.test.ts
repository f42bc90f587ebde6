import { expect, test } from "vitest";
import { ownProcsFiles, parseHierarchies, sandboxCgroups, scopeCgroups } from "./cgroup.ts";

const hash = "0123456789abcdef";

test("v1, v2 and hybrid hosts are told from their mounts", () => {
  const v1 = "30 25 0:26 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset";
  const both = "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
  const named = "32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd";
  const v2 = "33 25 0:29 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw";
  const other = "34 25 0:30 / /proc rw - proc proc rw";
  expect(parseHierarchies([v1, both, named, v2, other].join("\n"))).toEqual([
    { mount: "/sys/fs/cgroup/cpuset", version: 1, controllers: ["cpuset"] },
    { mount: "/sys/fs/cgroup/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
    { mount: "/sys/fs/cgroup/systemd", version: 1, controllers: ["name=systemd"] },
    { mount: "/sys/fs/cgroup/unified", version: 2, controllers: [] },
  ]);
});

test("a process is in one cgroup of each hierarchy", () => {
  const hierarchies = [
    { mount: "/v1/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
    { mount: "/v1/systemd", version: 1, controllers: ["name=systemd"] },
    { mount: "/v2", version: 2, controllers: [] },
  ] as const;
  const membership = "12:misc:/not-mounted\n4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/user.slice/c\n";
  expect(ownProcsFiles(hierarchies, membership)).toEqual([
    ...["/v1/cpu,cpuacct/a:b/cgroup.procs", "/v1/systemd//cgroup.procs", "/v2/user.slice/c/cgroup.procs"],
  ]);
});

test("the daemon sits beside the sandbox, not in it", () => {
  expect(sandboxCgroups("/docker/abc", hash)).toEqual({
    sandbox: "/docker/abc",
    daemon: `/docker/kata_daemon_${hash}`,
  });
  expect(sandboxCgroups("abc", hash).daemon).toBe(`/kata_daemon_${hash}`);
});

test("without a path the hash names it", () => {
  expect(sandboxCgroups(undefined, hash).sandbox).toBe(`/kata_${hash}`);
  expect(sandboxCgroups("", hash).sandbox).toBe(`/kata_${hash}`);
});

test("in a scope of systemd's both are below it, for the cgroups beside it are systemd's", () => {
  expect(scopeCgroups({ unit: "docker-abc.scope", path: "/system.slice/docker-abc.scope" })).toEqual({
    sandbox: "/system.slice/docker-abc.scope/sandbox",
    daemon: "/system.slice/docker-abc.scope/daemon",
  });
});

test("a path that leaves the hierarchy, or is its root, is refused", () => {
  for (const path of ["/", "../x", "/a/../../b"]) {
    expect(() => sandboxCgroups(path, hash)).toThrow(/linux.cgroupsPath/);
  }
});
