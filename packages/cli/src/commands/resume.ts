import { Daemon } from "@kata-containers/protocols";
import { findContainer } from "../container/find-container.ts";
import { askLive } from "../container/live-daemon.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

export const resume = defineCommand({
  name: "resume",
  summary: "let the processes of a paused container go on",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    await askLive(found, Daemon.Resume, { id });
    return 0;
  },
});
