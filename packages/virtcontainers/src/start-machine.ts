import { KataError } from "@kata-containers/sys";
import { assemble, type MachineDeps } from "./assemble-machine.ts";
import { obstacleToCopy } from "./factory/template.ts";
import { TemplateCopier } from "./factory/template-copier.ts";
import { findBasis } from "./find-basis.ts";
import type { Machine } from "./machine.ts";
import type { Basis } from "./machine-plan.ts";
import type { SandboxNetwork } from "./network/sandbox-network.ts";
import { vmSize } from "./resource/vm-size.ts";

/**
 * Starts a machine: a copy of the template where the configuration wants that and it can be, else one that boots. Resolves when its
 * processes run, while a guest that boots still does. Undoes all when it fails.
 */
export async function startMachine(
  deps: MachineDeps,
  basis = findBasis(deps.config, deps.log),
): Promise<Machine> {
  return (await copyOfTemplate(deps, basis)) ?? (await boot(deps, basis));
}

async function boot(deps: MachineDeps, basis: Basis): Promise<Machine> {
  const size = deps.size ?? vmSize(deps.config, basis.host, []);
  const { machine } = await assemble(deps, basis, { size, memoryFile: undefined, saved: undefined });
  return machine;
}

/** undefined: the machine is to boot; the log says why. */
async function copyOfTemplate(deps: MachineDeps, basis: Basis): Promise<Machine | undefined> {
  const { config, confinement, log } = deps;
  if (!config.factory.enable_template) return undefined;
  const size = vmSize(config, basis.host, []);
  const obstacle = obstacleToCopy(config, deps.size ?? size, size);
  if (obstacle !== undefined) {
    log.info("the VM boots, it is no copy of the template", { reason: obstacle });
    return undefined;
  }
  let unconnected: unknown;
  const openNetwork = (kvm: boolean): SandboxNetwork => {
    try {
      return deps.openNetwork(kvm);
    } catch (error) {
      unconnected = error;
      throw error;
    }
  };
  try {
    const { memory } = confinement;
    if ("obstacle" in memory) throw new KataError("FailedPrecondition", memory.obstacle);
    return await new TemplateCopier({ ...deps, openNetwork }, basis, size, memory.directory).copy();
  } catch (error) {
    // So is it for a machine that boots.
    if (error === unconnected) throw error;
    log.warn(`the VM boots, it cannot be a copy of the template: ${KataError.from(error).message}`);
    return undefined;
  }
}
