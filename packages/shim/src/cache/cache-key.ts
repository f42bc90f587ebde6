import type { KataConfig } from "@kata-containers/config";
import { COMMIT, VERSION } from "@kata-containers/sys";
import { shortHash } from "@kata-containers/virtcontainers";

/**
 * Of configurations with one key, a sandbox's VM is the same, and so is its daemon: whoever made it ahead made it for all of them. How many
 * wait, and where, is no part of it; the programs are, for another version's daemon may be told other words.
 */
export function cacheKey({ hypervisor, factory, agent, runtime }: KataConfig): string {
  const { vm_cache_number: _, vm_cache_endpoint: __, ...copied } = factory;
  const text = JSON.stringify({ VERSION, COMMIT, hypervisor, factory: copied, agent, runtime });
  return shortHash(text);
}

/** Why no VM waits for sandboxes of a configuration; undefined: they can. */
export function obstacleToCache({ hypervisor, agent }: KataConfig): string | undefined {
  if (!hypervisor.enable_debug && !agent.enable_debug) return undefined;
  // It would be said before there is a log that it belongs in.
  return "enable_debug is set: what the guest says at its start is to be in its sandbox's log";
}
