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
  expect(() => check([{ type: "cgroup" }])).not.toThrow();
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
  expect(() => check(pinned, sandbox)).not.toThrow();
  expect(() => check([{ type: "mount", path: "/x" }], sandbox)).toThrow("linux.namespaces: mount: /x");
});

/** Of a container that names these alone. */
const named = (types: readonly Namespace["type"][], annotations: Record<string, string> = {}) =>
  checkNamespaces({
    ociVersion: "1.2.0",
    annotations,
    linux: { namespaces: types.map((type) => ({ type })) },
  });

test("the host's, which a container shares when it names none, is refused", () => {
  expect(() => named(["mount", "pid", "ipc"])).toThrow(
    "linux.namespaces: network: is missing, and so the host's: a virtual machine has no host networking (name it",
  );
  expect(() => named(["mount", "network", "ipc"])).toThrow("linux.namespaces: pid: is missing");
  expect(() => named(["mount", "network", "pid"])).toThrow("linux.namespaces: ipc: is missing");
});

test("in a pod those that are not named are the pod's, but its sandbox's network cannot be the host's", () => {
  const member = {
    "io.kubernetes.cri-o.ContainerType": "container",
    "io.kubernetes.cri-o.SandboxID": "pod",
  };
  expect(() => named(["mount"], member)).not.toThrow();
  expect(() => named(["mount", "network"], sandbox)).not.toThrow();
  expect(() => named(["mount"], sandbox)).toThrow("linux.namespaces: network: is missing");
});
