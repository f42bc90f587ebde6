import { KataError } from "@kata-containers/sys";
import type { AgentChannel } from "./agent-channel.ts";
import { type ChannelSetting, expectedChannel } from "./expected-channel.ts";
import { createVirtioSerial } from "./virtio-serial.ts";
import { createVsock } from "./vsock.ts";

/**
 * The channel of `hypervisor.qemu.agent_channel`, opened. `auto` is vsock where the host has it.
 * @param warn hears why `auto` could not take a vsock that is there
 * @throws KataError FailedPrecondition when vsock is demanded and not to be had
 */
export function openAgentChannel(setting: ChannelSetting, warn: (text: string) => void): AgentChannel {
  if (expectedChannel(setting) === "virtio-serial") return createVirtioSerial();
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
