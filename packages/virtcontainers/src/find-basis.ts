import { type KataConfig, readHostSize } from "@kata-containers/config";
import { type Logger, ops } from "@kata-containers/sys";
import { chooseAccelerator } from "./hypervisor/accelerator.ts";
import { measureTsc } from "./hypervisor/tsc.ts";
import type { Basis } from "./machine-plan.ts";

/** Finds out what machines need to know of the host; the log gets a warning when they will be slow. */
export function findBasis({ hypervisor }: KataConfig, log: Logger): Basis {
  const tscKhz = measureTsc(ops);
  const { accelerator, warning } = chooseAccelerator(hypervisor.accelerator, ops);
  if (warning !== undefined) log.warn(warning);
  return { accelerator, warning, tscKhz, host: readHostSize() };
}
