import type { Namespace, Spec } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import { checkRunPath } from "../check.ts";
import type { SharedNamespaces } from "../sandbox/namespaces.ts";

/**
 * The spec as it runs in the guest: a mount namespace of its own, the sandbox's IPC and UTS namespaces, a pid namespace of its own
 * or, with `pidNamespace` (a path), the one that the sandbox's containers share, the guest's network, and no hooks, which are the host's programs. Upstream: update_container_namespaces of src/agent/src/rpc.rs.
 *
 * @throws KataError FailedPrecondition when the spec brings a pid namespace to join, InvalidArgument when it has no process or
 *   its root is not below the run directory
 */
export function guestSpec(spec: Spec, shared: SharedNamespaces, pidNamespace?: string): Spec {
  if (spec.process === undefined) throw new KataError("InvalidArgument", "OCI: the spec has no process");
  if (spec.root === undefined) throw new KataError("InvalidArgument", "OCI: the spec has no root");
  const root = { ...spec.root, path: checkRunPath(spec.root.path, "OCI root.path") };
  const { hooks: _, hostname: __, domainname: ___, ...rest } = spec;
  const { container: sysctl } = splitSysctls(spec.linux?.sysctl ?? {});
  return {
    ...rest,
    root,
    linux: { ...spec.linux, sysctl, namespaces: guestNamespaces(spec, shared, pidNamespace) },
  };
}

/** Sysctls by where they are set: net.* are the guest's own, for containers share its network; the rest are the container's. */
export function splitSysctls(sysctls: Readonly<Record<string, string>>): {
  guest: Record<string, string>;
  container: Record<string, string>;
} {
  const entries = Object.entries(sysctls);
  const isGuests = ([name]: [string, string]) => name.startsWith("net.");
  return {
    guest: Object.fromEntries(entries.filter(isGuests)),
    container: Object.fromEntries(entries.filter((entry) => !isGuests(entry))),
  };
}

/** Namespaces that are the container's own matter; the others are decided here. */
const OWN: ReadonlySet<string> = new Set(["user", "cgroup", "time"]);

function guestNamespaces(spec: Spec, shared: SharedNamespaces, pidNamespace?: string): Namespace[] {
  const asked = spec.linux?.namespaces ?? [];
  const joins = asked.find(({ type, path }) => type === "pid" && path !== undefined && path !== "");
  if (joins !== undefined) {
    throw new KataError(
      "FailedPrecondition",
      `OCI: cannot join the pid namespace ${joins.path}: it is the host's`,
    );
  }
  const own = asked.filter(({ type }) => OWN.has(type)).map(({ type }) => ({ type }));
  return [
    pidNamespace === undefined ? { type: "pid" } : { type: "pid", path: pidNamespace },
    { type: "mount" },
    { type: "ipc", path: shared.ipc },
    { type: "uts", path: shared.uts },
    ...own,
  ];
}
