import { Daemon } from "@kata-containers/protocols";
import { ops } from "@kata-containers/sys";
import { updateRow } from "../commands/update.ts";
import { findContainer } from "../container/find-container.ts";
import { askLive } from "../container/live-daemon.ts";
import { wantedResources } from "../container/update-resources.ts";
import { defineCommand } from "../define-command.ts";

export const updateCommand = defineCommand({
  ...updateRow,
  async run({ options, args: [id = ""], globals }) {
    const resources = await wantedResources(options);
    using found = await findContainer(globals, id);
    const resourcesJson = ops.utf8Encode(JSON.stringify(resources));
    await askLive(found, Daemon.Update, { id, resourcesJson });
    return 0;
  },
});
