import type { KataConfig } from "@kata-containers/config";
import { VMM_ROOT } from "../confine/confinement.ts";
import { loadModulesParam } from "../hypervisor/vm-config.ts";
import type { VmSize } from "../resource/vm-size.ts";
import { identityOfFile } from "./template-key.ts";

/** Drivers that every sandbox needs, for a kernel that has them as modules: its copies find them loaded. */
const MODULES = { "virtio-fs": ["virtiofs"], "virtio-9p": ["9pnet_virtio", "9p"] } as const;

/** Words of the kernel's command line that a template has besides the others. */
export function templateParams({ hypervisor }: KataConfig): string[] {
  return [loadModulesParam([...MODULES[hypervisor.shared_fs], "virtio_net", "overlay"])];
}

/**
 * Why a sandbox's VM cannot be a copy of the template; undefined: it can.
 * @param size what its containers ask for @param template what a copy has at first
 */
export function obstacleToCopy(
  { hypervisor }: KataConfig,
  size: VmSize,
  template: VmSize,
): string | undefined {
  if (hypervisor.enable_hugepages) return "enable_hugepages: its memory cannot be a copy";
  if (hypervisor.enable_mem_prealloc) return "enable_mem_prealloc: its memory cannot be a copy";
  if (size.memoryMiB > template.memoryMiB && hypervisor.memory_slots === 0)
    return `it is to have ${size.memoryMiB} MiB, the template has ${template.memoryMiB}, and memory_slots is 0`;
  return undefined;
}

/** The files that a template is made from, as the VMM's root has them; by the path that the configuration gives them. */
export function templateFiles({ hypervisor }: KataConfig, root = VMM_ROOT): Record<string, string> {
  const { path, kernel, initrd, firmware } = hypervisor;
  const files = [path, kernel, initrd, ...(firmware === "" ? [] : [firmware])];
  return Object.fromEntries(files.map((file) => [file, identityOfFile(root + file)]));
}

/** A copy's agent answers after some hundredths of a second. */
const COPY_ANSWER_SECONDS = 10;

/** How long it may take: on a host for which whoever set `dial_timeout` (60 s by default) expects a slow boot, it is slower in proportion. */
export function copyAnswerSeconds(dialTimeout: number): number {
  return Math.min(dialTimeout, Math.max(COPY_ANSWER_SECONDS, Math.ceil(dialTimeout / 6)));
}

/**
 * How long a sandbox's first container may take to be made, each step by its own time-out: of a copy also to wait for somebody else's
 * template, to make one, and to boot after a copy that never answered.
 */
export function creationSeconds(config: KataConfig): number {
  const { runtime, agent, factory } = config;
  const boot = runtime.vm_start_timeout + agent.dial_timeout + agent.request_timeout + runtime.stop_timeout;
  const copy = runtime.vm_start_timeout + copyAnswerSeconds(agent.dial_timeout) + runtime.stop_timeout;
  return boot + (factory.enable_template ? 2 * makingSeconds(config) + copy : 0);
}

/** How long a template may take, and so how long others wait for it, seconds. */
export function makingSeconds({ runtime, agent }: KataConfig): number {
  return runtime.vm_start_timeout + agent.dial_timeout + agent.request_timeout + runtime.stop_timeout;
}
