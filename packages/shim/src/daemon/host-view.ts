import type { KataConfig } from "@kata-containers/config";
import { CLONE, isSysError, MS, ops, writeText } from "@kata-containers/sys";
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
  RUNTIME_DIR,
  type SandboxRecord,
  SHARE_DIR,
  SHARE_PLACES,
  SHARE_SERVER_ROOT,
  SOCKET_DIR,
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
  const plan9 = config.hypervisor.shared_fs === "virtio-9p";
  const hierarchies = hostHierarchies();
  joinCgroup(createCgroup(record.cgroups.daemon, hierarchies), ops.getpid());
  const cgroupProcs = createCgroup(record.cgroups.sandbox, hierarchies);
  const serverPlaces = [SHARE_DIR, "/proc"];
  enterSmallRoot(RUNTIME_DIR, ownBinds(config, record.root), [
    { target: VMM_ROOT, readOnly: true, binds: vmmBinds(config), places: plan9 ? serverPlaces : [] },
    ...(plan9
      ? []
      : [{ target: SHARE_SERVER_ROOT, readOnly: true, binds: virtiofsdBinds(config), places: serverPlaces }]),
    // A guest that could rename a mount point, or put a symbolic link in its place, would lead our mounts astray.
    { target: SHARE_PLACES, readOnly: false, binds: [], readOnlyView: SHARE_DIR },
    { target: SOCKET_DIR, readOnly: false, binds: [] },
  ]);
  showShareTo(plan9 ? VMM_ROOT : SHARE_SERVER_ROOT);
  sparedByOomKiller();
  return {
    launchPath: LAUNCH_PATH,
    cgroupProcs,
    vmmRoot: VMM_ROOT,
    shareServerRoot: SHARE_SERVER_ROOT,
    shareDir: SHARE_DIR,
    sharePlaces: SHARE_PLACES,
  };
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

/** What the daemon itself sees of the host. */
function ownBinds(config: KataConfig, root: string): Bind[] {
  return [
    { source: "/proc", target: "/proc", readOnly: false, what: "proc" },
    { source: "/sys/fs/cgroup", target: "/sys/fs/cgroup", readOnly: false, recursive: true, what: "cgroups" },
    { source: RUNTIME_DIR, target: RUNTIME_DIR, readOnly: false, what: "runtime directory" },
    // Not there when the record is its owner's alone.
    { source: root, target: root, readOnly: false, optional: true, what: "state root" },
    // kvm: to find out whether it runs a guest. QEMU gets the network's as descriptors.
    ...devices(["null", "urandom", "kvm", "vhost-vsock", "net/tun", "vhost-net"]),
    { ...program(config.runtime.launch_path, "kata-launch (runtime.launch_path)"), target: LAUNCH_PATH },
  ];
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
