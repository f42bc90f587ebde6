import type { IdMapping, Namespace, NamespaceType, Spec } from "@kata-containers/oci";
import { CLONE, O } from "@kata-containers/sys";
import type { Step } from "./plan.ts";
import { invalid } from "./refuse.ts";

export const NAMESPACE_FLAGS: Readonly<Record<NamespaceType, number>> = {
  user: CLONE.NEWUSER,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  network: CLONE.NEWNET,
  pid: CLONE.NEWPID,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
  mount: CLONE.NEWNS,
};

/** User first, for it gives a user the rights over the others; mount last, for paths mean something else after it. */
const JOIN_ORDER: readonly NamespaceType[] = [
  "user",
  "ipc",
  "uts",
  "network",
  "pid",
  "cgroup",
  "time",
  "mount",
];

/** What a spec's namespaces come to. */
export type NamespacePlan = {
  readonly parent: readonly Step[];
  /** Enters what is joined with the launcher's own rights: before a user namespace takes them away. */
  readonly join: readonly Step[];
  readonly stage: readonly Step[];
  /** In a user namespace, new or joined: no mknod. */
  readonly inUserNamespace: boolean;
  readonly isNew: (type: NamespaceType) => boolean;
  /** No user namespace takes away the rights over the container's namespace of this type: there is none, or it makes the other. */
  readonly hasRightsOver: (type: NamespaceType) => boolean;
  readonly has: (type: NamespaceType) => boolean;
};

/**
 * Joins what has a path, makes what has none. A user namespace that is joined comes after the others, over which it may have no
 * rights; but whoever is not root has no others, and joins it first. In a new user namespace the stage waits until P has written
 * the id maps, and becomes its root before it makes the other namespaces, which then belong to it.
 * @param isUser we are not root: we may map but our own ids, and only without setgroups(2) in there (user_namespaces(7))
 */
export function planNamespaces(spec: Spec, isUser = false): NamespacePlan {
  const namespaces = spec.linux?.namespaces ?? [];
  const find = (type: NamespaceType) => namespaces.find((namespace) => namespace.type === type);
  const isJoined = (namespace: Namespace | undefined) =>
    namespace?.path !== undefined && namespace.path !== "";
  const isNew = (type: NamespaceType) => find(type) !== undefined && !isJoined(find(type));
  const joined = JOIN_ORDER.map(find)
    .filter((namespace) => namespace !== undefined)
    .filter(isJoined);
  const has = (type: NamespaceType) => find(type) !== undefined;
  checkNamespaces(spec, isNew, has);

  const before = isUser ? [] : joined.filter(({ type }) => type !== "user");
  const after = joined.filter((namespace) => !before.includes(namespace));
  const user = isNew("user") ? newUserNamespace(spec, isUser) : { parent: [], stage: [] };
  const others = JOIN_ORDER.filter((type) => type !== "user" && isNew(type));
  const flags = others.reduce((sum, type) => sum + NAMESPACE_FLAGS[type], 0);
  return {
    parent: user.parent,
    join: [...joined.map(openStep), ...enterSteps(before)],
    stage: [
      ...enterSteps(after),
      ...user.stage,
      ...(flags === 0 ? [] : [{ op: "unshare", flags } as const]),
      ...timeOffsetSteps(spec, isNew),
    ],
    inUserNamespace: find("user") !== undefined,
    isNew,
    hasRightsOver: (type) => find("user") === undefined || isNew(type),
    has,
  };
}

function checkNamespaces(
  spec: Spec,
  isNew: (type: NamespaceType) => boolean,
  has: (type: NamespaceType) => boolean,
): void {
  const mappings = (spec.linux?.uidMappings?.length ?? 0) + (spec.linux?.gidMappings?.length ?? 0);
  // Those of one that is joined are what they are: podman repeats them (as runc).
  if (mappings > 0 && !has("user")) invalid("linux.uidMappings", "id mappings need a user namespace");
  if (spec.linux?.timeOffsets !== undefined && !isNew("time")) {
    invalid("linux.timeOffsets", "needs a new time namespace");
  }
}

const nameOf = ({ type }: Namespace) => `namespace-${type}`;

/** Every path is opened before the first is entered. */
function openStep(namespace: Namespace): Step {
  return { op: "open", path: namespace.path ?? "", flags: O.RDONLY, as: nameOf(namespace) };
}

function enterSteps(namespaces: readonly Namespace[]): Step[] {
  return [
    ...namespaces.flatMap((namespace): Step[] => [
      { op: "setns", fd: nameOf(namespace), type: NAMESPACE_FLAGS[namespace.type] },
      { op: "close", fd: nameOf(namespace) },
    ]),
    ...(namespaces.some(({ type }) => type === "user") ? [becomeRoot] : []),
  ];
}

/** Unmapped ids own nothing: root of the user namespace makes and owns the rest. */
export const becomeRoot: Step = { op: "user", uid: 0, gid: 0, keepCapabilities: false };

function newUserNamespace(spec: Spec, isUser: boolean): { parent: Step[]; stage: Step[] } {
  const uid = mapText(spec.linux?.uidMappings, "linux.uidMappings");
  const gid = mapText(spec.linux?.gidMappings, "linux.gidMappings");
  return {
    parent: [
      { op: "sync", name: "user-namespace", side: "wait" },
      { op: "id_map", uid, gid, denySetgroups: isUser },
      { op: "sync", name: "id-maps", side: "send" },
    ],
    stage: [
      { op: "unshare", flags: CLONE.NEWUSER },
      ...(isUser ? [{ op: "dumpable", on: true } as const] : []),
      { op: "sync", name: "user-namespace", side: "send" },
      { op: "sync", name: "id-maps", side: "wait" },
      ...(isUser ? [{ op: "dumpable", on: false } as const] : []),
      becomeRoot,
    ],
  };
}

/** Lines of uid_map. @throws KataError InvalidArgument when there is none. */
export function mapText(mappings: readonly IdMapping[] | undefined, where: string): string {
  if (mappings === undefined || mappings.length === 0) {
    return invalid(where, "a user namespace needs id mappings");
  }
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/**
 * time_namespaces(7): offsets are set before the first process enters. The root of a user namespace may write its own file only
 * while the process is dumpable, for it is the host's root's otherwise (proc(5)).
 */
function timeOffsetSteps(spec: Spec, isNew: (type: NamespaceType) => boolean): Step[] {
  if (!isNew("time")) return [];
  const writes = offsetWrites(spec);
  if (writes.length === 0 || !isNew("user")) return writes;
  return [{ op: "dumpable", on: true }, ...writes, { op: "dumpable", on: false }];
}

function offsetWrites(spec: Spec): Step[] {
  return Object.entries(spec.linux?.timeOffsets ?? {}).map(([clock, { secs = 0, nanosecs = 0 }]) => ({
    op: "write",
    path: "/proc/self/timens_offsets",
    text: `${clock} ${secs} ${nanosecs}\n`,
    proc: true,
  }));
}
