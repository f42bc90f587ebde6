import { ENDING, SignalInbox } from "@kata-containers/shim";
import { createRow } from "../commands/create.ts";
import { createContainer } from "../container/create-container.ts";
import { checkPreserveFds } from "../container/preserve-fds.ts";
import { defineCommand } from "../define-command.ts";

export const createCommand = defineCommand({
  ...createRow,
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
