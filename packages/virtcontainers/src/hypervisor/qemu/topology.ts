import type { Command } from "./nic-slots.ts";

/** Runs a change of a machine's devices, one after another. */
export type TopologyChange = <T>(change: () => Promise<T>) => Promise<T>;

/**
 * Changes what a machine is made of. A CPU that QEMU emulates stands still meanwhile, for some milliseconds: before QEMU 8.2 one
 * that runs may see its map of memory change under it, and QEMU crashes ("softmmu: Use async_run_on_cpu in tcg_commit"; seen once in 40
 * additions of memory and a CPU to a busy guest).
 * @param runs whether it runs now
 */
export function topologyChange(
  command: Command,
  accelerator: "kvm" | "tcg",
  runs: () => boolean,
): TopologyChange {
  let last: Promise<unknown> = Promise.resolve();
  const apart = async <T>(change: () => Promise<T>): Promise<T> => {
    if (accelerator === "kvm" || !runs()) return await change();
    await command("stop", {});
    try {
      return await change();
    } finally {
      await command("cont", {});
    }
  };
  return (change) => {
    const changed = last.then(() => apart(change));
    last = changed.catch(() => {});
    return changed;
  };
}
