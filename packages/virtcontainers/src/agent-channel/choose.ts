import type { KataConfig } from "@kata-containers/config";
import { exists, KataError } from "@kata-containers/sys";
import type { AgentChannel } from "./agent-channel.ts";
import { createVirtioSerial } from "./virtio-serial.ts";
import { createVsock, VHOST_VSOCK } from "./vsock.ts";

type Setting = KataConfig["hypervisor"]["agent_channel"];

/**
 * The channel of `hypervisor.qemu.agent_channel`, opened. `auto` is vsock where the host has it.
 * @param warn hears why `auto` could not take a vsock that is there
 * @throws KataError FailedPrecondition when vsock is demanded and not to be had
 */
export function openAgentChannel(setting: Setting, warn: (text: string) => void): AgentChannel {
  if (setting === "virtio-serial" || (setting === "auto" && !exists(VHOST_VSOCK)))
    return createVirtioSerial();
  try {
    return createVsock();
  } catch (cause) {
    const why = KataError.from(cause).message;
    if (setting === "vsock")
      throw new KataError(
        "FailedPrecondition",
        `cannot start VM: agent_channel "vsock": ${why} (load the module vhost_vsock, or set agent_channel = "auto")`,
        { cause },
      );
    warn(`${why}: the agent is reached by virtio-serial instead of vsock`);
    return createVirtioSerial();
  }
}
