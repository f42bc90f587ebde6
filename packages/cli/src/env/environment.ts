import type { KataConfig } from "@kata-containers/config";
import { OCI_VERSION } from "@kata-containers/oci";
import { COMMIT, exists, KataError, ops, VERSION } from "@kata-containers/sys";
import { chooseAccelerator } from "@kata-containers/virtcontainers";
import { qemuVersion } from "../check/qemu.ts";
import { virtiofsdVersion } from "../check/virtiofsd.ts";
import { readHostFacts } from "./host-facts.ts";

/** What upstream prints for what it could not find out. */
export const UNKNOWN = "<<unknown>>";

/** Of the layout below: upstream's names, and more; a change that breaks readers raises the first number. */
const FORMAT_VERSION = "1.2.0";

/** Everything that decides how a container runs on this host, by upstream's names (kata-env). */
export async function describeEnvironment(config: KataConfig) {
  const { hypervisor, agent, runtime, factory } = config;
  const acceleration = accelerationOf(config);
  return {
    Meta: { Version: FORMAT_VERSION },
    Runtime: {
      Debug: runtime.enable_debug,
      Trace: false,
      DisableGuestSeccomp: runtime.disable_guest_seccomp,
      DisableNewNetNs: false,
      Experimental: [],
      Path: ops.readlink("/proc/self/exe"),
      ShimPath: runtime.shim_path,
      KataShimPath: runtime.kata_shim_path,
      LaunchPath: runtime.launch_path,
      Version: { OCI: OCI_VERSION, Version: versionOf(VERSION) },
      Config: { Path: config.path, DropIns: config.dropIns },
    },
    Hypervisor: {
      MachineType: hypervisor.machine_type,
      Version: await orUnknown(qemuVersion(hypervisor.path)),
      Path: hypervisor.path,
      Accelerator: acceleration ?? UNKNOWN,
      EntropySource: hypervisor.entropy_source,
      SharedFS: hypervisor.shared_fs,
      VirtioFSDaemon: hypervisor.virtio_fs_daemon,
      VirtioFSDaemonVersion: await orUnknown(virtiofsdVersion(hypervisor.virtio_fs_daemon)),
      DefaultVCPUs: hypervisor.default_vcpus,
      DefaultMemory: hypervisor.default_memory,
      Debug: hypervisor.enable_debug,
      SecurityInfo: {
        Rootless: false,
        DisableSeccomp: false,
        EnableAnnotations: hypervisor.enable_annotations,
        ConfidentialGuest: false,
      },
    },
    Kernel: { Path: hypervisor.kernel, Parameters: hypervisor.kernel_params },
    Initrd: { Path: hypervisor.initrd },
    Factory: {
      EnableTemplate: factory.enable_template,
      TemplatePath: factory.template_path,
      VMCacheNumber: factory.vm_cache_number,
    },
    Agent: { Debug: agent.enable_debug, Trace: false },
    Host: {
      ...readHostFacts(),
      VMContainerCapable: acceleration !== undefined,
      SupportVSocks: exists("/dev/vhost-vsock"),
    },
  };
}

/** undefined: none can be had. */
function accelerationOf({ hypervisor }: KataConfig): "kvm" | "tcg" | undefined {
  try {
    return chooseAccelerator(hypervisor.accelerator, ops).accelerator;
  } catch (error) {
    if (error instanceof KataError) return undefined;
    throw error;
  }
}

function versionOf(semver: string) {
  const [major = 0, minor = 0, patch = 0] = semver.split(/[.-]/).slice(0, 3).map(Number);
  return { Semver: semver, Major: major, Minor: minor, Patch: patch, Commit: COMMIT };
}

async function orUnknown(version: Promise<string>): Promise<string> {
  try {
    return await version;
  } catch (error) {
    if (error instanceof KataError) return UNKNOWN;
    throw error;
  }
}
