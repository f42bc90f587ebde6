import { type KataConfig, readHostSize } from "@kata-containers/config";
import { ops } from "@kata-containers/sys";
import { expectedChannel } from "../agent-channel/expected-channel.ts";
import { chooseAccelerator } from "../hypervisor/accelerator.ts";
import { type Basis, type Plan, vmmOf } from "../machine-plan.ts";
import { type VmSize, vmSize } from "../resource/vm-size.ts";
import { MEMORY_FILE } from "./memory-file.ts";
import { templateFiles, templateParams } from "./template.ts";
import { templateKey } from "./template-key.ts";

/** Of a template, and so of its copies. */
export function templatePlan(config: KataConfig, size: VmSize): Plan {
  return { size, memoryFile: MEMORY_FILE, params: templateParams(config), saved: undefined };
}

/** @param files see `templateFiles` */
export function keyOf(
  config: KataConfig,
  basis: Pick<Basis, "accelerator" | "host">,
  size: VmSize,
  files: Readonly<Record<string, string>>,
): string {
  const vmm = vmmOf(config, basis, templatePlan(config, size));
  return templateKey(vmm, expectedChannel(config.hypervisor.agent_channel), files);
}

/**
 * The key of the template that a sandbox without annotations would be a copy of now; for a process that sees the host's files.
 * @throws KataError when there can be none: a file that it would be made from is missing, or KVM is demanded and not to be had
 */
export function currentTemplateKey(config: KataConfig): string {
  const { accelerator } = chooseAccelerator(config.hypervisor.accelerator, ops);
  const host = readHostSize();
  return keyOf(config, { accelerator, host }, vmSize(config, host, []), templateFiles(config, ""));
}
