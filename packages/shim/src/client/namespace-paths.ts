import type { NamespaceType, Spec } from "@kata-containers/oci";
import { CLONE, Fd, isSysError, KataError, O, ops } from "@kata-containers/sys";
import { checkNamespaces } from "@kata-containers/virtcontainers";

const FLAGS: Readonly<Record<NamespaceType, number>> = {
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  mount: CLONE.NEWNS,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  user: CLONE.NEWUSER,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
};

/**
 * What can be told of a specification's namespaces before anything is made: that each path is one of its type, and that a container in a
 * VM can have it.
 * @throws KataError naming the namespace and the path
 */
export function checkNamespacesOf(spec: Spec): void {
  checkNamespacePaths(spec);
  checkNamespaces(spec);
}

/**
 * "The runtime MUST generate an error if `path` is not associated with a namespace of type `type`" (OCI config-linux.md, "Namespaces"):
 * also of those that a container in a VM has no use for.
 * @throws KataError naming the namespace and the path
 */
function checkNamespacePaths(spec: Spec): void {
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    if (path === undefined || path === "" || flagOf(type, path) === FLAGS[type]) continue;
    throw new KataError("InvalidArgument", `linux.namespaces: ${type}: ${path} is no ${type} namespace`);
  }
}

/** The flag of the namespace that a file stands for; undefined: it is none. */
function flagOf(type: NamespaceType, path: string): number | undefined {
  try {
    using file = new Fd(ops.open(path, O.RDONLY | O.CLOEXEC | O.NONBLOCK, 0));
    return ops.namespaceType(file.number);
  } catch (error) {
    if (isSysError(error, "ENOTTY")) return undefined;
    throw KataError.from(error, `linux.namespaces: ${type}`);
  }
}
