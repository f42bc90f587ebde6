import type { KataConfig } from "@kata-containers/config";
import { openRtnetlink, type Rtnetlink } from "@kata-containers/netlink";
import type { Fd } from "@kata-containers/sys";
import { NIC_PORTS } from "../hypervisor/qemu/arguments.ts";
import { viewNetwork } from "../network/network-view.ts";
import type { VmSize } from "../resource/vm-size.ts";

/** What a sandbox asks of a machine that was made ahead of it. */
export interface WantedMachine {
  /** What it is to have. */
  readonly size: VmSize;
  /** Its network namespace; undefined: a new one. */
  readonly networkNamespace: Fd | undefined;
}

/**
 * Why a machine that was made before its sandbox was known cannot be its; undefined: it can.
 * @param first what the machine has
 */
export function obstacleToAdoption(
  { hypervisor, runtime }: KataConfig,
  { size, networkNamespace }: WantedMachine,
  first: VmSize,
  open: (namespace: Fd) => Rtnetlink = openRtnetlink,
): string | undefined {
  if (size.memoryMiB > first.memoryMiB && hypervisor.memory_slots === 0)
    return `it is to have ${size.memoryMiB} MiB, those have ${first.memoryMiB}, and memory_slots is 0`;
  // Its cards are all plugged in while it runs; one that starts with them has places for more.
  const unlimited = hypervisor.machine_type !== "q35" || runtime.internetworking_model === "none";
  if (unlimited || networkNamespace === undefined) return undefined;
  using rtnetlink = open(networkNamespace);
  const { length } = viewNetwork(rtnetlink, new Set()).endpoints;
  if (length <= NIC_PORTS.length) return undefined;
  return `it has ${length} network interfaces, and q35 takes ${NIC_PORTS.length} network cards while it runs`;
}
