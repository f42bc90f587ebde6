/** Resident bytes of a sandbox's daemon and agent. */
export interface Memory {
  readonly daemon: number;
  readonly agent: number;
}

/** After so many commands or containers nothing may grow any more. */
export const WARM = 10;

/**
 * What the allocator's free lists make of a difference, bytes: 60 KiB from the 10th command to the 100th, 130 KiB to the
 * 800th, with JavaScript's heap the same to 10 KiB. Commands that kept 1.5 KiB each are more.
 */
export const NOISE = 128 << 10;

/** Reads what `kata-runtime metrics` prints. Throws when one of them is not in it. */
export function parseMemory(metrics: string): Memory {
  return { daemon: residentBytes(metrics, "shim"), agent: residentBytes(metrics, "agent") };
}

function residentBytes(metrics: string, program: "shim" | "agent"): number {
  const name = `kata_${program}_process_resident_memory_bytes`;
  const bytes = new RegExp(`^${name} (\\d+)$`, "m").exec(metrics)?.[1];
  if (bytes === undefined) throw new Error(`the metrics have no ${name}`);
  return Number(bytes);
}

/** What `kata-runtime metrics` says a sandbox costs the host, bytes, by its processes' names. */
export function sandboxCost(metrics: string): Map<string, number> {
  const line = /^kata_sandbox_proportional_memory_bytes{item="(\S+)"} (\d+)$/gm;
  return new Map([...metrics.matchAll(line)].map(([, item = "", bytes]) => [item, Number(bytes)]));
}
