import { type KataConfig, splitWords } from "@kata-containers/config";
import { SHARE_DIR } from "../confine/confinement.ts";
import type { VmLimits, VmSize } from "../resource/vm-size.ts";
import type { Accelerator } from "./accelerator.ts";
import type { VmConfig } from "./hypervisor.ts";

/**
 * What the configuration asks of a sandbox's virtual machine.
 * @param size what it has when it boots, at most `limits`
 * @param channelParams where the agent listens, in its own options
 * @param tscKhz frequency of the host's time-stamp counter, if it has one
 */
export function vmConfig(
  { hypervisor, agent }: KataConfig,
  accelerator: Accelerator,
  size: VmSize,
  limits: VmLimits,
  channelParams: readonly string[],
  tscKhz: number | undefined,
): VmConfig {
  return {
    ...size,
    maxVcpus: Math.max(size.vcpus, limits.vcpus),
    maxMemoryMiB: Math.max(size.memoryMiB, limits.memoryMiB),
    memorySlots: hypervisor.memory_slots,
    machineType: hypervisor.machine_type,
    kernelParams: [
      ...channelParams,
      ...agentParams(agent),
      // By name, for no request to the agent is about the balloon, and so none loads its driver.
      ...(hypervisor.reclaim_guest_freed_memory ? [loadModulesParam(["virtio_balloon"])] : []),
      ...splitWords(hypervisor.kernel_params, " "),
    ],
    cpuFeatures: splitWords(hypervisor.cpu_features, ","),
    memory: memory(hypervisor),
    reclaimsMemory: hypervisor.reclaim_guest_freed_memory,
    memoryFile: undefined,
    entropySource: hypervisor.entropy_source,
    shareDirectory: hypervisor.shared_fs === "virtio-9p" ? SHARE_DIR : undefined,
    shareQueueSize: hypervisor.virtio_fs_queue_size,
    accelerator,
    tscKhz,
    debug: hypervisor.enable_debug,
  };
}

function memory({ enable_hugepages, enable_mem_prealloc }: KataConfig["hypervisor"]): VmConfig["memory"] {
  if (enable_hugepages) return "hugetlb";
  return enable_mem_prealloc ? "prealloc" : "anonymous";
}

/** The word by which the agent loads modules when the guest boots, not when they are first used; words add up. */
export function loadModulesParam(names: readonly string[]): string {
  return `agent.load_modules=${names.join(",")}`;
}

/** Options that the agent reads from the kernel's command line. */
function agentParams({ enable_debug, container_pipe_size }: KataConfig["agent"]): string[] {
  return [
    ...(enable_debug ? ["agent.log=debug"] : []),
    ...(container_pipe_size === 0 ? [] : [`agent.container_pipe_size=${container_pipe_size}`]),
  ];
}
