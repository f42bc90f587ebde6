import { join } from "node:path";
import type { Overrides } from "@kata-containers/config";
import { type Cell, cells } from "./matrix.mjs";

const guest = join(import.meta.dirname, "../../build/guest");

const kernels = {
  debian: { kernel: join(guest, "vmlinux"), initrd: join(guest, "initrd.img") },
  own: { kernel: join(guest, "vmlinux-own"), initrd: join(guest, "initrd-own.img") },
} as const;

/** One place for all suites: the first makes the template, and a new build makes a new one in its stead. */
const templatesOf = ({ name }: Cell) => join(import.meta.dirname, `../../build/test/templates-${name}`);

/** Virtual machines that wait in the cache of a cell that has one. */
export const WAITING = 2;

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
    ...(cell.factory === "none" ? {} : { factory: factoryOf(cell) }),
  };
}

function factoryOf(cell: Cell): NonNullable<Overrides["factory"]> {
  const template = { enable_template: true, template_path: templatesOf(cell) };
  if (cell.factory === "template") return template;
  return { ...template, vm_cache_number: WAITING, vm_cache_endpoint: `${templatesOf(cell)}.sock` };
}
