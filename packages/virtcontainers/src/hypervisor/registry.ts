import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import type { Confinement } from "../confine/confinement.ts";
import type { Hypervisor } from "./hypervisor.ts";

/** What a driver gets to work with. */
export type HypervisorContext = { readonly config: KataConfig; readonly confinement: Confinement };
export type HypervisorFactory = (context: HypervisorContext) => Hypervisor;

const factories = new Map<string, HypervisorFactory>();

/** Makes a driver known by the name of its table in the configuration (`[hypervisor.<name>]`). */
export function registerHypervisor(name: string, factory: HypervisorFactory): void {
  factories.set(name, factory);
}

/** @throws KataError InvalidArgument when no driver has that name. */
export function createHypervisor(name: string, context: HypervisorContext): Hypervisor {
  const factory = factories.get(name);
  if (factory === undefined) {
    const known = [...factories.keys()].sort().join(", ");
    throw new KataError("InvalidArgument", `hypervisor "${name}" is unknown (known: ${known})`);
  }
  return factory(context);
}
