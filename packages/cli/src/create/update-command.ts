import { Daemon } from "@kata-containers/protocols";
import { KataError, ops } from "@kata-containers/sys";
import { updateRow } from "../commands/update.ts";
import { findContainer } from "../container/find-container.ts";
import { askLive, liveDaemon } from "../container/live-daemon.ts";
import { wantedResources } from "../container/update-resources.ts";
import { defineCommand } from "../define-command.ts";

export const updateCommand = defineCommand({
  ...updateRow,
  async run({ options, args: [id = ""], globals }) {
    for (const name of ["l3-cache-schema", "mem-bw-schema"] as const) {
      if (options[name] !== undefined)
        throw new KataError(
          "Unimplemented",
          `cannot update ${name}: Intel RDT is the host's, and the VM has none`,
        );
    }
    const resources = await wantedResources(options);
    using found = await findContainer(globals, id);
    if (resources === undefined) {
      // As runc: nothing to change is no error, of a container that runs.
      liveDaemon(found);
      return 0;
    }
    const resourcesJson = ops.utf8Encode(JSON.stringify(resources));
    await askLive(found, Daemon.Update, { id, resourcesJson });
    return 0;
  },
});
