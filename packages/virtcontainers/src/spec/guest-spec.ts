import { type CompiledSeccomp, compileFilter } from "@kata-containers/launch";
import type { Linux, Mount, Resources, Spec } from "@kata-containers/oci";
import { restOf, specToGrpc } from "@kata-containers/protocols";
import { ops } from "@kata-containers/sys";
import { GUEST_SHM } from "../paths.ts";
import { isReadOnly, mountPlace } from "./shared-mounts.ts";

/** What the guest needs to know of the host's side. */
export type GuestPlaces = {
  /** The root file system, as the guest sees it. */
  readonly rootfs: string;
  /** Sources of shared mounts as the guest sees them, by index into the spec's mounts. */
  readonly volumes: ReadonlyMap<number, string>;
};

/**
 * The spec that the guest executes: config.json without what only the host can do. Pure.
 * - hooks run on the host;
 * - the network namespace is the host's (the guest has the VM's network), the pid namespace is the agent's business (`sandboxPidns`);
 *   paths of the others name files of the host;
 * - cgroupsPath is a place in the host's hierarchy;
 * - a cpuset is for the host's side (HostCpuset); CPU affinity, block I/O, hugepages and network classes name hardware of the host, device rules its device numbers: the
 *   VM has none of them. CPU, memory and pids limits stay and hold in the guest;
 * - a seccomp profile is the guest's to enforce, unless the configuration drops it (`dropSeccomp`);
 * - labels of the host's SELinux and AppArmor policies are unknown to the guest's kernel.
 */
export function guestSpec(spec: Spec, places: GuestPlaces): Spec {
  const { hooks: _hooks, process, mounts, linux, ...rest } = spec;
  return {
    ...rest,
    ...(process === undefined ? {} : { process: guestProcess(process) }),
    root: { ...spec.root, path: places.rootfs },
    mounts: (mounts ?? []).map((mount, index) => guestMount(mount, index, places)),
    ...(linux === undefined ? {} : { linux: guestLinux(linux) }),
  };
}

/** The spec without its seccomp profile, for `disable_guest_seccomp`; as it is when it has none. */
export function dropSeccomp(spec: Spec, warn: (warning: string) => void): Spec {
  if (spec.linux?.seccomp === undefined) return spec;
  warn("the seccomp profile is not applied (runtime.disable_guest_seccomp)");
  const { seccomp: _seccomp, ...linux } = spec.linux;
  return { ...spec, linux };
}

/** The filter of the spec's seccomp profile: the guest's machine is the host's. */
export function filterOf(spec: Spec, warn: (warning: string) => void): CompiledSeccomp | undefined {
  const profile = spec.linux?.seccomp;
  if (profile === undefined) return undefined;
  const warnings: string[] = [];
  const filter = compileFilter(profile, ops.uname().machine, warnings);
  warnings.forEach(warn);
  return filter;
}

/**
 * The spec that goes to the guest along with its filter. Of the profile, hundreds of names that nobody would read, this is left: it kills
 * every process, should an agent not know of the filter.
 */
function withFilterApart(spec: Spec): Spec {
  return { ...spec, linux: { ...spec.linux, seccomp: { defaultAction: "SCMP_ACT_KILL_PROCESS" } } };
}

/** What of a CreateContainer request is the spec, with its profile's filter. */
export function specFields(spec: Spec, seccomp: CompiledSeccomp | undefined) {
  const ociRestJson = restOf(spec);
  if (seccomp === undefined) return { OCI: specToGrpc(spec), ociRestJson };
  return { OCI: specToGrpc(withFilterApart(spec)), ociRestJson, seccomp };
}

/** Whether the container joins a pid namespace that exists: the pod's. */
export function sandboxPidns(spec: Spec): boolean {
  return (spec.linux?.namespaces ?? []).some(
    (each) => each.type === "pid" && each.path !== undefined && each.path !== "",
  );
}

type Process = NonNullable<Spec["process"]>;

export function guestProcess(process: Process): Process {
  const { selinuxLabel: _selinux, apparmorProfile: _apparmor, execCPUAffinity: _cpus, ...rest } = process;
  return rest;
}

function guestMount(mount: Mount, index: number, places: GuestPlaces): Mount {
  const source = places.volumes.get(index);
  if (source !== undefined) return { ...mount, source };
  if (mountPlace(mount) !== "shm") return mount;
  return {
    destination: mount.destination,
    type: "bind",
    source: GUEST_SHM,
    options: ["bind", isReadOnly(mount) ? "ro" : "rw"],
  };
}

const HOST_NAMESPACES = new Set(["network", "pid"]);

function guestLinux(linux: Linux): Linux {
  const { cgroupsPath: _path, mountLabel: _label, intelRdt: _rdt, resources, namespaces, ...rest } = linux;
  return {
    ...rest,
    namespaces: (namespaces ?? [])
      .filter((each) => !HOST_NAMESPACES.has(each.type))
      .map((each) => ({ type: each.type })),
    ...(resources === undefined ? {} : { resources: guestResources(resources) }),
  };
}

function guestResources(resources: Resources): Resources {
  // Device rules are about the guest's devices there: a privileged container has all of them, any other its own.
  const { memory, cpu, pids, devices, unified } = resources;
  const { cpus: _cpus, mems: _mems, ...limits } = cpu ?? {};
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu: limits }),
    ...(pids === undefined ? {} : { pids }),
    ...(devices === undefined ? {} : { devices }),
    ...(unified === undefined ? {} : { unified }),
  };
}
