import type { Spec } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { checkGuestProcess, checkGuestSpec } from "./check-guest-spec.ts";

const spec = (change: Partial<Spec>): Spec => ({ ociVersion: "1.2.0", ...change });

test("what docker and podman write reaches the guest", () => {
  const process = { cwd: "/", user: { uid: 0, gid: 0, umask: 0o22 } };
  const seccomp = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1 };
  expect(checkGuestSpec(spec({ domainname: "x", process, linux: { seccomp } }))).toEqual([]);
});

test("a listener that no call is left to is nobody's matter", () => {
  const seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x" };
  expect(checkGuestSpec(spec({ linux: { seccomp } }))).toEqual([]);
});

test.each<[string, Partial<Spec>, string]>([
  [
    "a seccomp listener",
    {
      linux: {
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          listenerPath: "/x",
          syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }],
        },
      },
    },
    "config.json: linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY",
  ],
  [
    "a domain name that would be cut",
    { domainname: "x".repeat(65) },
    "config.json: domainname: is longer than 64 bytes",
  ],
  ["Intel RDT", { linux: { intelRdt: { closID: "x" } } }, "config.json: linux.intelRdt: "],
  [
    "an id-mapped mount",
    { mounts: [{ destination: "/a" }, { destination: "/x", source: "/x", options: ["bind", "idmap"] }] },
    "config.json: mounts[1]: virtio-fs",
  ],
])("%s is refused", (_, change, message) => {
  expect(() => checkGuestSpec(spec(change))).toThrow(message);
});

test("what names the host's CPUs and devices is told, for an executed process too", () => {
  const process = { cwd: "/", execCPUAffinity: { initial: "0" } };
  const told = "process.execCPUAffinity is not applied: the host's CPUs are not the VM's";
  expect(checkGuestProcess(process)).toEqual([told]);
  const resources = { rdma: { mlx5_0: { hcaHandles: 1 } } };
  expect(checkGuestSpec(spec({ process, linux: { resources } }))).toEqual([
    told,
    "linux.resources.rdma is not applied: the VM has no RDMA devices",
  ]);
});

test("labels of the host's policies are told, for an executed process too", () => {
  const process = { cwd: "/", apparmorProfile: "docker-default", selinuxLabel: "system_u:system_r:x:s0" };
  const told = [
    "process.apparmorProfile is not applied: the guest's kernel does not have the host's AppArmor policy",
    "process.selinuxLabel is not applied: the guest's kernel does not have the host's SELinux policy",
  ];
  expect(checkGuestProcess(process)).toEqual(told);
  expect(checkGuestSpec(spec({ process, linux: { mountLabel: "x" } }))).toEqual([
    ...told,
    "linux.mountLabel is not applied: the guest's kernel does not have the host's SELinux policy",
  ]);
});

test("labels that confine nothing are not told of", () => {
  const process = { cwd: "/", apparmorProfile: "unconfined", selinuxLabel: "" };
  expect(checkGuestSpec(spec({ process, linux: { mountLabel: "" } }))).toEqual([]);
});
