import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Overrides } from "@kata-containers/config";

const guest = join(import.meta.dirname, "../../build/guest");

/** What a cell of the test matrix may differ in. */
const kernels = {
  debian: { kernel: join(guest, "vmlinux"), initrd: join(guest, "initrd.img") },
  own: { kernel: join(guest, "vmlinux-own"), initrd: join(guest, "initrd-own.img") },
} as const;
const machines = ["pc", "q35"] as const;
const channels = ["virtio-serial", "vsock"] as const;

/** One cell: a guest kernel, a machine, a channel to the agent. */
export interface Cell {
  readonly name: string;
  readonly kernel: keyof typeof kernels;
  readonly machine: (typeof machines)[number];
  readonly channel: (typeof channels)[number];
}

/** Every cell that this host can run: vsock needs vhost. The first is what an installation has by default. */
export const cells: readonly Cell[] = channels
  .filter((channel) => channel !== "vsock" || existsSync("/dev/vhost-vsock"))
  .flatMap((channel) =>
    machines.flatMap((machine) =>
      (["debian", "own"] as const).map((kernel) => ({
        name: `${kernel}-${machine}-${channel}`,
        kernel,
        machine,
        channel,
      })),
    ),
  );

/** The cell with this name. */
export function cellNamed(name: string): Cell {
  const cell = cells.find((each) => each.name === name);
  if (cell === undefined) throw new Error(`no cell ${name}: ${cells.map((each) => each.name).join(", ")}`);
  return cell;
}

/** The configuration that makes it. */
export function cellConfiguration(cell: Cell): Overrides {
  return {
    "hypervisor.qemu": {
      ...kernels[cell.kernel],
      machine_type: cell.machine,
      agent_channel: cell.channel,
    },
  };
}
