import { KataError } from "@kata-containers/sys";
import { findContainer } from "../container/find-container.ts";
import { startContainer } from "../container/start-container.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

export const start = defineCommand({
  name: "start",
  summary: "run the process of a container that was created",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    if (found.daemon === undefined) {
      throw new KataError("FailedPrecondition", "cannot start a container that has stopped");
    }
    await startContainer(found.daemon, found.container, globals);
    return 0;
  },
});
