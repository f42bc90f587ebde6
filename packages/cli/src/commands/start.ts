import { findContainer } from "../container/find-container.ts";
import { liveDaemon } from "../container/live-daemon.ts";
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
    const daemon = liveDaemon(found, "cannot start a container that has stopped");
    await startContainer(daemon, found.container, globals);
    return 0;
  },
});
