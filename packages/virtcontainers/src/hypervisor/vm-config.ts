import { type KataConfig, splitWords } from "@kata-containers/config";
import { SHARE_DIR } from "../confine/confinement.ts";
import type { Accelerator } from "./accelerator.ts";
import type { VmConfig } from "./hypervisor.ts";

/**
 * What the configuration asks of a sandbox's virtual machine.
 * @param hostCpus CPUs that this process may use
 * @param channelParams where the agent listens, in its own options
 * @param tscKhz frequency of the host's time-stamp counter, if it has one
 */
export function vmConfig(
  { hypervisor, agent }: KataConfig,
  accelerator: Accelerator,
  hostCpus: number,
  channelParams: readonly string[],
  tscKhz: number | undefined,
): VmConfig {
  return {
    vcpus: vcpus(hypervisor, hostCpus),
    memoryMiB: hypervisor.default_memory,
    machineType: hypervisor.machine_type,
    kernelParams: [...channelParams, ...agentParams(agent), ...splitWords(hypervisor.kernel_params, " ")],
    cpuFeatures: splitWords(hypervisor.cpu_features, ","),
    memory: memory(hypervisor),
    entropySource: hypervisor.entropy_source,
    shareDirectory: hypervisor.shared_fs === "virtio-9p" ? SHARE_DIR : undefined,
    shareQueueSize: hypervisor.virtio_fs_queue_size,
    accelerator,
    tscKhz,
    debug: hypervisor.enable_debug,
  };
}

/** As upstream: a negative number, and one that the host does not have, stand for all of the host's CPUs. */
function vcpus({ default_vcpus, default_maxvcpus }: KataConfig["hypervisor"], hostCpus: number): number {
  const wanted = default_vcpus < 0 ? hostCpus : Math.max(1, default_vcpus);
  return Math.min(wanted, hostCpus, default_maxvcpus === 0 ? hostCpus : default_maxvcpus);
}

function memory({ enable_hugepages, enable_mem_prealloc }: KataConfig["hypervisor"]): VmConfig["memory"] {
  if (enable_hugepages) return "hugetlb";
  return enable_mem_prealloc ? "prealloc" : "anonymous";
}

/** Options that the agent reads from the kernel's command line. */
function agentParams({ enable_debug, container_pipe_size }: KataConfig["agent"]): string[] {
  return [
    ...(enable_debug ? ["agent.log=debug"] : []),
    ...(container_pipe_size === 0 ? [] : [`agent.container_pipe_size=${container_pipe_size}`]),
  ];
}
