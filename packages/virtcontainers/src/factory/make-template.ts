import { readHostSize } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import type { MachineDeps } from "../assemble-machine.ts";
import { findBasis } from "../find-basis.ts";
import { NO_NETWORK } from "../network/sandbox-network.ts";
import { Phases } from "../phases.ts";
import { vmSize } from "../resource/vm-size.ts";
import { obstacleToCopy } from "./template.ts";
import { TemplateCopier } from "./template-copier.ts";

export type MakeTemplateDeps = Pick<MachineDeps, "config" | "confinement" | "log">;

/**
 * Makes the configuration's template anew, whatever is there; for a process that has left the host's view.
 * @param gone rejects when nobody wants it any more: then nothing is left of it
 * @returns its key
 * @throws KataError naming why no VM can be a copy of it, or why it cannot be made
 */
export async function makeTemplate(deps: MakeTemplateDeps, gone: Promise<never>): Promise<string> {
  const { config, confinement, log } = deps;
  const size = vmSize(config, readHostSize(), []);
  const obstacle = obstacleToCopy(config, size, size);
  if (obstacle !== undefined) throw new KataError("FailedPrecondition", `no VM can be a copy: ${obstacle}`);
  if ("obstacle" in confinement.memory)
    throw new KataError("FailedPrecondition", confinement.memory.obstacle);
  const basis = findBasis(config, log);
  const machine = { ...deps, phases: new Phases(), openNetwork: () => NO_NETWORK, size };
  return await new TemplateCopier(machine, basis, size, confinement.memory.directory).make(gone);
}
