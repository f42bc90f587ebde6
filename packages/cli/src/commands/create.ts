import { ENDING, SignalInbox } from "@kata-containers/shim";
import { createContainer } from "../container/create-container.ts";
import { checkPreserveFds } from "../container/preserve-fds.ts";
import { defineCommand } from "../define-command.ts";
import { containerId, containerOptions } from "./container-options.ts";

export const create = defineCommand({
  name: "create",
  summary: "make a container that waits to be started",
  description:
    "Starts the sandbox's virtual machine and makes the container in it. Its process waits for `kata-runtime start`. " +
    "When anything fails, nothing is left behind.",
  args: [{ ...containerId, help: "the new container's id: letters, digits, and _ + - ." }],
  options: containerOptions,
  async run({ options, args: [id = ""], globals }) {
    checkPreserveFds("create", options["preserve-fds"]);
    using signals = new SignalInbox(ENDING);
    await createContainer({
      id,
      globals,
      signals,
      bundle: options.bundle ?? ".",
      pidFile: options["pid-file"],
      consoleSocket: options["console-socket"],
      detach: true,
    });
    return 0;
  },
});
