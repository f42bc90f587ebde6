import { Daemon } from "@kata-containers/protocols";
import { findContainer } from "../container/find-container.ts";
import { askLive } from "../container/live-daemon.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

export const pause = defineCommand({
  name: "pause",
  summary: "stop all processes of a container, until resume",
  description:
    "The processes keep their memory and take no processor time. delete --force and kill with SIGKILL end them nevertheless.",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    await askLive(found, Daemon.Pause, { id });
    return 0;
  },
});
