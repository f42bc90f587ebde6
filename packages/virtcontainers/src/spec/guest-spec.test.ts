import type { Spec } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { dropSeccomp, guestSpec, sandboxPidns } from "./guest-spec.ts";
import { mountsToOpen } from "./shared-mounts.ts";

const spec: Spec = {
  ociVersion: "1.0.2",
  hostname: "box",
  process: { cwd: "/", args: ["sh"], apparmorProfile: "docker-default", selinuxLabel: "l" },
  root: { path: "rootfs", readonly: true },
  hooks: { prestart: [{ path: "/bin/hook" }] },
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/etc/hosts", type: "bind", source: "/var/lib/hosts", options: ["rbind", "ro"] },
    { destination: "/dev/shm", type: "bind", source: "/containers/shm", options: ["rbind"] },
    { destination: "/x", type: "bind", source: "/proc/sys", options: ["rbind"] },
  ],
  linux: {
    cgroupsPath: "/docker/x",
    mountLabel: "l",
    namespaces: [
      { type: "network", path: "/var/run/netns/x" },
      { type: "ipc", path: "/proc/1/ns/ipc" },
      { type: "pid" },
      { type: "cgroup" },
      { type: "mount" },
    ],
    resources: {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 1024 },
      cpu: { shares: 2, cpus: "0-1", mems: "0" },
      pids: { limit: 10 },
      blockIO: { weight: 10 },
      network: { classID: 1 },
    },
  },
};
const places = { rootfs: "/guest/rootfs", volumes: new Map([[1, "/guest/hosts"]]) };

test("what only the host can do is not sent to the guest", () => {
  const guest = guestSpec(spec, places);
  expect(guest.hooks).toBeUndefined();
  expect(guest.process).toEqual({ cwd: "/", args: ["sh"] });
  expect(guest.linux).toEqual({
    namespaces: [{ type: "ipc" }, { type: "cgroup" }, { type: "mount" }],
    resources: {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 1024 },
      cpu: { shares: 2 },
      pids: { limit: 10 },
    },
  });
});

test("paths become the guest's", () => {
  const guest = guestSpec(spec, places);
  expect(guest.root).toEqual({ path: "/guest/rootfs", readonly: true });
  expect(guest.mounts?.[1]?.source).toBe("/guest/hosts");
  expect(guest.mounts?.[3]?.source).toBe("/proc/sys");
});

test("/dev/shm of the host becomes the sandbox's own", () => {
  expect(guestSpec(spec, places).mounts?.[2]).toEqual({
    destination: "/dev/shm",
    type: "bind",
    source: "/run/kata-containers/sandbox/shm",
    options: ["bind", "rw"],
  });
});

test("the caller opens what is shared or measured, and nothing of the guest's own", () => {
  expect(mountsToOpen(spec)).toEqual([1, 2]);
});

test("a pid namespace with a path is the pod's", () => {
  expect(sandboxPidns(spec)).toBe(false);
  const joined = { ...spec, linux: { namespaces: [{ type: "pid" as const, path: "/proc/9/ns/pid" }] } };
  expect(sandboxPidns(joined)).toBe(true);
});

test("a seccomp profile goes to the guest, unless it is dropped", () => {
  const seccomp = { defaultAction: "SCMP_ACT_ERRNO" };
  const profiled = { ...spec, linux: { ...spec.linux, seccomp } };
  expect(guestSpec(profiled, places).linux?.seccomp).toEqual(seccomp);
  const warnings: string[] = [];
  const drop = (from: typeof spec) => dropSeccomp(from, (warning) => warnings.push(warning));
  expect(guestSpec(drop(profiled), places).linux?.seccomp).toBeUndefined();
  expect(drop(spec)).toBe(spec);
  expect(warnings).toEqual(["the seccomp profile is not applied (runtime.disable_guest_seccomp)"]);
});
