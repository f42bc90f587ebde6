import { Daemon } from "@kata-containers/protocols";
import { ops } from "@kata-containers/sys";
import { findContainer } from "../container/find-container.ts";
import { askLive } from "../container/live-daemon.ts";
import {
  limitOptions,
  refusedOptions,
  resourcesOption,
  wantedResources,
} from "../container/update-options.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

export const update = defineCommand({
  name: "update",
  summary: "change the limits of a container",
  description:
    "The limits hold in the guest. The VM keeps its size: a memory limit above it is accepted, and the VM's memory is the " +
    "limit then. What is not given, or 0, stays as it is.",
  args: [containerId],
  options: { ...resourcesOption, ...limitOptions, ...refusedOptions },
  async run({ options, args: [id = ""], globals }) {
    const resources = await wantedResources(options);
    using found = await findContainer(globals, id);
    const resourcesJson = ops.utf8Encode(JSON.stringify(resources));
    await askLive(found, Daemon.Update, { id, resourcesJson });
    return 0;
  },
});
