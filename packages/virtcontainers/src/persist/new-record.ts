import { checkCgroupsEmpty } from "@kata-containers/launch";
import { ops } from "@kata-containers/sys";
import { managementSocketPath, OWNER_ROOT, sandboxHash, socketPath, stateDir } from "../paths.ts";
import {
  cgroupExists,
  findCgroup,
  hostHierarchies,
  type SandboxScope,
  sandboxCgroups,
  scopeCgroups,
} from "../resource/cgroup.ts";
import { claimCgroup, claimPath } from "../resource/cgroup-claim.ts";
import type { VmSize } from "../resource/vm-size.ts";
import { currentBootId } from "./process-identity.ts";
import { type HostResource, RECORD_VERSION, type SandboxRecord } from "./record.ts";

export type NewSandbox = {
  readonly id: string;
  readonly root: string;
  readonly configPath: string;
  /** The spec's linux.cgroupsPath. */
  readonly cgroupsPath: string | undefined;
  /** The network namespace that the spec names, see `namedNetwork`. */
  readonly networkPath?: string | undefined;
  /** Its machine's when it boots. */
  readonly size?: VmSize;
  /** systemd's scope that the sandbox will be in, in place of `cgroupsPath`. */
  readonly scope?: SandboxScope | undefined;
};

/**
 * The record of a sandbox that does not exist yet: names all that is made for it before its cgroups, see `withCgroups`.
 * @throws KataError InvalidArgument when the cgroups path is none.
 */
export function newRecord(sandbox: NewSandbox): SandboxRecord {
  const { id, root, configPath, cgroupsPath, networkPath, size, scope } = sandbox;
  const cgroups =
    scope === undefined ? sandboxCgroups(cgroupsPath, sandboxHash(root, id)) : scopeCgroups(scope);
  const sockets = [socketPath(root, id), managementSocketPath(root, id)];
  const resources: HostResource[] = sockets.map((path) => ({ kind: "socket", path }));
  // A scope is one sandbox's, which systemd sees to. Without a name from the specification it has one that nobody else can have; that of
  // a sandbox in memory is claimed all the same, for nothing else tells of it when program and daemon were killed.
  if (scope === undefined && (cgroupsPath || root.startsWith(OWNER_ROOT)))
    resources.push({ kind: "cgroup-claim", path: claimPath(cgroups.sandbox) });
  if (networkPath !== undefined) resources.push(...networkResource(networkPath));
  return {
    version: RECORD_VERSION,
    id,
    root,
    bootId: currentBootId(),
    socket: socketPath(root, id),
    configPath,
    cgroups,
    ...(size === undefined ? {} : { size }),
    ...(scope === undefined ? {} : { scope: scope.unit }),
    resources,
    containers: [],
  };
}

/** One that is not there has nothing of ours: whoever opens it says so. */
function networkResource(path: string): HostResource[] {
  const inode = ops.statIfThere(path)?.ino;
  return inode === undefined ? [] : [{ kind: "network", path, inode }];
}

/** What must be there of a sandbox whose record cannot be read: all that follows from its id. */
export function guessRecord(root: string, id: string): SandboxRecord {
  const record = newRecord({ id, root, configPath: "", cgroupsPath: undefined });
  const { sandbox, daemon } = record.cgroups;
  const found = findCgroup(daemon.slice(1)) ?? daemon;
  const cgroups = [found, sandbox].map((path): HostResource => ({ kind: "cgroup", path }));
  return { ...record, resources: [...record.resources, ...cgroups] };
}

/**
 * Makes sure that nobody else is in the sandbox's cgroup, nor will be: no process, no other sandbox.
 * @throws KataError FailedPrecondition
 */
export function takeCgroup({ root, id, cgroups, resources }: SandboxRecord): void {
  const claim = resources.find((each) => each.kind === "cgroup-claim");
  if (claim !== undefined) claimCgroup(cgroups.sandbox, claim.path, stateDir(root, id));
  checkCgroupsEmpty(hostHierarchies().map(({ mount }) => mount + cgroups.sandbox));
}

/**
 * The record with the cgroups that will be made for the sandbox: not before `takeCgroup`, for what the record names is the sandbox's
 * to kill. A cgroup that is there already was made by somebody else: it is used, and left.
 */
export function withCgroups(record: SandboxRecord): SandboxRecord {
  const { cgroups, resources } = record;
  const hierarchies = hostHierarchies();
  const named = (path: string) => resources.some((each) => each.kind === "cgroup" && each.path === path);
  const ours = [cgroups.daemon, cgroups.sandbox]
    .filter((path) => !named(path) && !cgroupExists(path, hierarchies))
    .map((path): HostResource => ({ kind: "cgroup", path }));
  return { ...record, resources: [...resources, ...ours] };
}
