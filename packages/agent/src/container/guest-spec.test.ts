import { expect, test } from "vitest";
import { guestSpec, splitSysctls } from "./guest-spec.ts";

const shared = { ipc: "/run/sandbox-ns/ipc", uts: "/run/sandbox-ns/uts" };
const spec = {
  ociVersion: "1.2.0",
  process: { cwd: "/", args: ["true"] },
  root: { path: "/run/kata-containers/shared/containers/c/rootfs" },
};

test("a container gets pid and mount namespaces of its own and the sandbox's ipc and uts", () => {
  const namespaces = [
    { type: "network", path: "/proc/1/ns/net" },
    { type: "ipc" },
    { type: "cgroup" },
    { type: "time" },
  ] as const;
  expect(guestSpec({ ...spec, linux: { namespaces } }, shared).linux?.namespaces).toEqual([
    { type: "pid" },
    { type: "mount" },
    { type: "ipc", path: shared.ipc },
    { type: "uts", path: shared.uts },
    { type: "cgroup" },
    { type: "time" },
  ]);
});

test("a container that shares the sandbox's pid namespace joins it", () => {
  const { linux } = guestSpec(spec, shared, "/proc/1/fd/7");
  expect(linux?.namespaces?.[0]).toEqual({ type: "pid", path: "/proc/1/fd/7" });
});

test("the host's hooks and the names of host and domain, which are the sandbox's, do not come along", () => {
  const guest = guestSpec(
    { ...spec, hostname: "h", domainname: "d", hooks: { prestart: [{ path: "/bin/evil" }] } },
    shared,
  );
  expect(guest).not.toHaveProperty("hooks");
  expect(guest).not.toHaveProperty("hostname");
  expect(guest).not.toHaveProperty("domainname");
});

test("a pid namespace to join is refused", () => {
  const namespaces = [{ type: "pid", path: "/proc/7/ns/pid" }] as const;
  expect(() => guestSpec({ ...spec, linux: { namespaces } }, shared)).toThrow("pid namespace");
});

test("a root outside of the run directory is refused", () => {
  expect(() => guestSpec({ ...spec, root: { path: "/" } }, shared)).toThrow("root.path");
  expect(() => guestSpec({ ...spec, root: { path: "/run/kata-containers/../.." } }, shared)).toThrow(
    "root.path",
  );
});

test("sysctls of the network are the guest's, the others the container's", () => {
  expect(splitSysctls({ "net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1" })).toEqual({
    guest: { "net.ipv4.ip_forward": "1" },
    container: { "kernel.shm_rmid_forced": "1" },
  });
});
