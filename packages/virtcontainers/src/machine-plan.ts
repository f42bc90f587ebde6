import type { HostSize, KataConfig } from "@kata-containers/config";
import type { Accelerator } from "./hypervisor/accelerator.ts";
import type { SavedVm, VmConfig } from "./hypervisor/hypervisor.ts";
import { vmConfig } from "./hypervisor/vm-config.ts";
import { type VmSize, vmLimits } from "./resource/vm-size.ts";

/** What is found out about the host once, however often a machine is started. */
export type Basis = {
  readonly accelerator: Accelerator;
  /** Of a slow one. */
  readonly warning: string | undefined;
  readonly tscKhz: () => Promise<number | undefined>;
  readonly host: HostSize;
};

/** How a machine comes to be. */
export type Plan = {
  readonly size: VmSize;
  /** Where its memory is, when that is a file: of a template and of its copies. */
  readonly memoryFile: string | undefined;
  /** What it goes on from; undefined: it boots. */
  readonly saved: SavedVm | undefined;
  /** More words for the kernel's command line. */
  readonly params?: readonly string[];
  /** Without what belongs to a sandbox: share and network. */
  readonly bare?: boolean;
};

/** All but what depends on the moment. */
export function vmmOf(
  config: KataConfig,
  { accelerator, host }: Pick<Basis, "accelerator" | "host">,
  { size, memoryFile, params = [] }: Plan,
  channelParams: readonly string[] = [],
): VmConfig {
  const limits = vmLimits(config, host);
  const vmm = vmConfig(config, accelerator, size, limits, [...channelParams, ...params], undefined);
  return { ...vmm, memoryFile };
}
