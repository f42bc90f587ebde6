import { expect, test } from "vitest";
import { parseCgroups } from "./read-host-facts.ts";

const HYBRID = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`;

test("a hybrid system has v1 hierarchies, the named one too, and v2", () => {
  const facts = parseCgroups(HYBRID, "2:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n", () => ["hugetlb"]);
  expect(facts).toEqual({
    v1: [
      { mountpoint: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"], ownPath: "/a" },
      { mountpoint: "/sys/fs/cgroup/systemd", controllers: ["name=systemd"], ownPath: "/b" },
    ],
    v2: { mountpoint: "/sys/fs/cgroup/unified", controllers: ["hugetlb"], ownPath: "/c" },
  });
});

test("seen from inside a container, paths start at the mount's root", () => {
  const mounts = "32 31 0:29 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw";
  expect(parseCgroups(mounts, "0::/docker/x/own\n", () => []).v2?.ownPath).toBe("/own");
});
