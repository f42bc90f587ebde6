/** One cell: a guest kernel, a machine, a channel to the agent, and where VMs come from: they boot, are copies of a template, or wait. */
export interface Cell {
  readonly name: string;
  readonly kernel: "debian" | "own";
  readonly machine: "pc" | "q35";
  readonly channel: "virtio-serial" | "vsock";
  readonly factory: "none" | "template" | "cache";
}

/** Every cell that this host can run: vsock needs vhost. */
export const cells: readonly Cell[];

/** All but that which an installation has by default here: agent_channel "auto" is vsock where the host has it. */
export const otherCells: readonly Cell[];

/** One line that says which cells this host cannot run, and why; undefined when it can run all. */
export const skipped: string | undefined;
