import type { Namespace } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { checkNamespaces } from "./check-namespaces.ts";

const usual: readonly Namespace[] = [
  { type: "pid" },
  { type: "ipc" },
  { type: "uts" },
  { type: "mount" },
  { type: "network", path: "/run/netns/x" },
];
const check = (more: readonly Namespace[], annotations: Record<string, string> = {}) =>
  checkNamespaces({ ociVersion: "1.2.0", annotations, linux: { namespaces: [...usual, ...more] } });

const sandbox = { "io.kubernetes.cri-o.ContainerType": "sandbox" };

test("new ones, and the network's by path, are there in a VM", () => {
  expect(check([{ type: "cgroup" }])).toEqual([]);
});

test("one that exists is of the host's kernel", () => {
  const text =
    "linux.namespaces: ipc: only a container of a pod can join one: /proc/7/ns/ipc is the host's kernel's";
  expect(() => check([{ type: "ipc", path: "/proc/7/ns/ipc" }])).toThrow(text);
  expect(() => check([{ type: "pid", path: "/proc/7/ns/pid" }])).toThrow("linux.namespaces: pid: only");
  expect(() => check([{ type: "user", path: "/x" }])).toThrow("linux.namespaces: user: /x is the host's");
});

test("CRI-O names those of a pod by path for its sandbox, too; a mount namespace is nobody's to share", () => {
  const pinned: readonly Namespace[] = [
    { type: "ipc", path: "/run/ipcns/x" },
    { type: "uts", path: "/run/utsns/x" },
  ];
  expect(check(pinned, sandbox)).toEqual([]);
  expect(() => check([{ type: "mount", path: "/x" }], sandbox)).toThrow("linux.namespaces: mount: /x");
});

test("the host's, which runc's containers share when they name none, are told to be missing", () => {
  const namespaces: readonly Namespace[] = [{ type: "mount" }, { type: "network" }, { type: "ipc" }];
  expect(checkNamespaces({ ociVersion: "1.2.0", linux: { namespaces } })).toEqual([
    "linux.namespaces: pid: is missing: the container has one of its own, not the host's",
  ]);
});
