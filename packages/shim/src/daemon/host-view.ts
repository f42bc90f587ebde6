import type { KataConfig } from "@kata-containers/config";
import { CLONE, isSysError, KataError, MS, mkdirp, ops, writeText } from "@kata-containers/sys";
import {
  type Bind,
  type Confinement,
  createCgroup,
  enterSmallRoot,
  firmwareBinds,
  hostHierarchies,
  joinCgroup,
  LAUNCH_PATH,
  libraryBinds,
  MEMORY_DIR,
  type MemoryPlace,
  RUNTIME_DIR,
  type SandboxRecord,
  SHARE_DIR,
  SHARE_PLACES,
  SHARE_SERVER_ROOT,
  SOCKET_DIR,
  TemplateDirectory,
  VMM_ROOT,
} from "@kata-containers/virtcontainers";

/**
 * Takes the daemon out of the host's view of things: into the sandbox's network namespace, its own cgroup, and a mount
 * namespace whose root holds only what it needs. To be called before anything else runs.
 * @throws KataError naming what is missing
 */
export function leaveHostView(
  config: KataConfig,
  record: SandboxRecord,
  netnsFd: number | undefined,
): Confinement {
  if (netnsFd === undefined) ops.unshare(CLONE.NEWNET);
  else {
    ops.setns(netnsFd, CLONE.NEWNET);
    ops.close(netnsFd);
  }
  const memory = placeForCopies(config);
  const cgroupProcs = enterCgroups(record);
  return confine(config, { memory, cgroupProcs, stateRoot: record.root });
}

/**
 * The same for a daemon that does not know yet of which sandbox it is: it has a network namespace and a cgroup of its own only later
 * (`enterCgroups`), and sees no records.
 */
export function leaveHostViewIdle(config: KataConfig): Confinement {
  ops.unshare(CLONE.NEWNET);
  mkdirp(RUNTIME_DIR, 0o711);
  return confine(config, { memory: placeForCopies(config), cgroupProcs: [], stateRoot: undefined });
}

/**
 * The same for a process that makes a template: it has no sandbox, whose network it could join, and stays in its caller's cgroup.
 * @throws KataError as `leaveHostView`; PermissionDenied, FailedPrecondition when template_path is not ours
 */
export function leaveHostViewToMakeTemplate(config: KataConfig): Confinement {
  ops.unshare(CLONE.NEWNET);
  mkdirp(RUNTIME_DIR, 0o711);
  new TemplateDirectory(config.factory.template_path).prepare();
  return confine(config, {
    memory: { directory: MEMORY_DIR },
    cgroupProcs: [],
    stateRoot: undefined,
  });
}

/** A directory that is not ours is no reason for a sandbox not to start: its VM boots then, and nothing in there is used. */
function placeForCopies({ factory }: KataConfig): MemoryPlace {
  if (!factory.enable_template) return { obstacle: "enable_template of [factory] is not set" };
  try {
    new TemplateDirectory(factory.template_path).prepare();
    return { directory: MEMORY_DIR };
  } catch (error) {
    return { obstacle: KataError.from(error).message };
  }
}

type View = Pick<Confinement, "memory" | "cgroupProcs"> & {
  /** Directory of records; undefined: none is read or written. */
  readonly stateRoot: string | undefined;
};

/** Moves to the small root, with its rooms for the programs that are started from here. */
function confine(config: KataConfig, { memory, cgroupProcs, stateRoot }: View): Confinement {
  const plan9 = config.hypervisor.shared_fs === "virtio-9p";
  const copies = "directory" in memory;
  const serverPlaces = [SHARE_DIR, "/proc"];
  const binds = [
    ...ownBinds(config),
    ...(copies ? [templateBind(config.factory.template_path)] : []),
    ...(stateRoot === undefined ? [] : [stateRootBind(stateRoot)]),
  ];
  enterSmallRoot(RUNTIME_DIR, binds, [
    {
      target: VMM_ROOT,
      readOnly: true,
      binds: vmmBinds(config),
      places: [...(plan9 ? serverPlaces : []), ...(copies ? [MEMORY_DIR] : [])],
    },
    ...(plan9
      ? []
      : [{ target: SHARE_SERVER_ROOT, readOnly: true, binds: virtiofsdBinds(config), places: serverPlaces }]),
    // A guest that could rename a mount point, or put a symbolic link in its place, would lead our mounts astray.
    { target: SHARE_PLACES, readOnly: false, binds: [], readOnlyView: SHARE_DIR },
    { target: SOCKET_DIR, readOnly: false, binds: [] },
    // The VMM can write to it: for the guest's memory, and no more.
    ...(copies ? [{ target: MEMORY_DIR, readOnly: false, binds: [], size: memorySize(config) }] : []),
  ]);
  if (copies) ops.mount(MEMORY_DIR, VMM_ROOT + MEMORY_DIR, "", MS.BIND, "");
  showShareTo(plan9 ? VMM_ROOT : SHARE_SERVER_ROOT);
  sparedByOomKiller();
  return {
    launchPath: LAUNCH_PATH,
    cgroupProcs,
    vmmRoot: VMM_ROOT,
    shareServerRoot: SHARE_SERVER_ROOT,
    shareDir: SHARE_DIR,
    sharePlaces: SHARE_PLACES,
    memory,
  };
}

/** Makes the sandbox's cgroups, and this process a member of the daemon's. @returns the `cgroup.procs` files of the sandbox's own */
export function enterCgroups({ cgroups }: Pick<SandboxRecord, "cgroups">): string[] {
  const hierarchies = hostHierarchies();
  joinCgroup(createCgroup(cgroups.daemon, hierarchies), ops.getpid());
  return createCgroup(cgroups.sandbox, hierarchies);
}

/** What is attached below the share later appears in the mount namespace of the program that serves it too. */
function showShareTo(root: string): void {
  ops.mount("", SHARE_DIR, "", MS.SHARED, "");
  ops.mount(SHARE_DIR, root + SHARE_DIR, "", MS.BIND, "");
}

/** The out-of-memory killer shall take the VM before the process that knows what to undo. Needs CAP_SYS_RESOURCE, which a host's own sandbox may lack: then it is as before. */
function sparedByOomKiller(): void {
  try {
    writeText("/proc/self/oom_score_adj", "-100");
  } catch (error) {
    if (!isSysError(error, "EACCES", "EPERM")) throw error;
  }
}

/** What the process itself sees of the host. */
function ownBinds(config: KataConfig): Bind[] {
  return [
    { source: "/proc", target: "/proc", readOnly: false, what: "proc" },
    { source: "/sys/fs/cgroup", target: "/sys/fs/cgroup", readOnly: false, recursive: true, what: "cgroups" },
    { source: RUNTIME_DIR, target: RUNTIME_DIR, readOnly: false, what: "runtime directory" },
    // kvm: to find out whether it runs a guest. QEMU gets the network's as descriptors.
    ...devices(["null", "urandom", "kvm", "vhost-vsock", "net/tun", "vhost-net"]),
    { ...program(config.runtime.launch_path, "kata-launch (runtime.launch_path)"), target: LAUNCH_PATH },
  ];
}

/** As tmpfs(5) takes it: of a template, and so of what its copies have before they grow, and what a file costs besides. */
function memorySize({ hypervisor }: KataConfig): string {
  return `${hypervisor.default_memory + 1}m`;
}

/** Not there when the record is its owner's alone. */
function stateRootBind(root: string): Bind {
  return { source: root, target: root, readOnly: false, optional: true, what: "state root" };
}

function templateBind(path: string): Bind {
  return {
    source: path,
    target: path,
    readOnly: false,
    what: "directory of templates (factory.template_path)",
  };
}

/** All that virtiofsd sees, besides the share. */
function virtiofsdBinds({ hypervisor }: KataConfig): Bind[] {
  return [
    ...libraryBinds(),
    program(hypervisor.virtio_fs_daemon, "virtiofsd (hypervisor.qemu.virtio_fs_daemon)"),
  ];
}

/** All that the VMM sees: QEMU, its libraries and firmware, kernel, initrd and its devices. */
function vmmBinds(config: KataConfig): Bind[] {
  const { path, kernel, initrd, firmware, entropy_source } = config.hypervisor;
  return [
    ...libraryBinds(),
    ...firmwareBinds(),
    program(path, "QEMU (hypervisor.qemu.path)"),
    program(kernel, "kernel (hypervisor.qemu.kernel)"),
    program(initrd, "initrd (hypervisor.qemu.initrd)"),
    ...(firmware === "" ? [] : [program(firmware, "firmware (hypervisor.qemu.firmware)")]),
    ...devices(["null", "kvm"]),
    { ...device(entropy_source), optional: false, what: "entropy source (hypervisor.qemu.entropy_source)" },
  ];
}

function program(path: string, what: string): Bind {
  return { source: path, target: path, readOnly: true, what };
}

function devices(names: readonly string[]): Bind[] {
  return names.map((name) => device(`/dev/${name}`));
}

function device(path: string): Bind {
  return { source: path, target: path, readOnly: false, devices: true, optional: true, what: "device" };
}
