import { sandboxHash, socketPath } from "../paths.ts";
import { cgroupExists, hostHierarchies, sandboxCgroups } from "../resource/cgroup.ts";
import { currentBootId } from "./process-identity.ts";
import { type HostResource, RECORD_VERSION, type SandboxRecord } from "./record.ts";

export type NewSandbox = {
  readonly id: string;
  readonly root: string;
  readonly configPath: string;
  /** The spec's linux.cgroupsPath. */
  readonly cgroupsPath: string | undefined;
};

/**
 * The record of a sandbox that does not exist yet: names all that is made for it from now on. A cgroup that is there
 * already was made by somebody else: it is used, and left.
 * @throws KataError InvalidArgument when the cgroups path is none.
 */
export function newRecord(sandbox: NewSandbox): SandboxRecord {
  const { id, root, configPath, cgroupsPath } = sandbox;
  const cgroups = sandboxCgroups(cgroupsPath, sandboxHash(root, id));
  const hierarchies = hostHierarchies();
  const ours = [cgroups.daemon, cgroups.sandbox].filter((path) => !cgroupExists(path, hierarchies));
  const resources: HostResource[] = [
    { kind: "socket", path: socketPath(root, id) },
    ...ours.map((path): HostResource => ({ kind: "cgroup", path })),
  ];
  return {
    version: RECORD_VERSION,
    id,
    root,
    bootId: currentBootId(),
    socket: socketPath(root, id),
    configPath,
    cgroups,
    resources,
    containers: [],
  };
}
