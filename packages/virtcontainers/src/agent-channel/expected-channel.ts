import type { KataConfig } from "@kata-containers/config";
import { exists } from "@kata-containers/sys";
import type { AgentDevice } from "../hypervisor/hypervisor.ts";
import { VHOST_VSOCK } from "./vsock.ts";

export type ChannelSetting = KataConfig["hypervisor"]["agent_channel"];

/** Which one it will be, if that can be opened. */
export function expectedChannel(setting: ChannelSetting): AgentDevice["kind"] {
  return setting === "vsock" || (setting === "auto" && exists(VHOST_VSOCK)) ? "vsock" : "virtio-serial";
}
