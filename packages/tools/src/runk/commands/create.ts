import { containerId } from "@kata-containers/cli";
import { containerOptions } from "../container-options.ts";
import { createContainer } from "../create-container.ts";
import { defineCommand } from "../define-command.ts";

export const create = defineCommand({
  name: "create",
  summary: "make a container that waits to be started",
  description: "Its process waits for `runk start`. When anything fails, nothing is left behind.",
  args: [{ ...containerId, help: "the new container's id: letters, digits, and _ + - ." }],
  options: containerOptions,
  async run({ options, args: [id = ""], globals }) {
    const created = await createContainer(id, options, globals, { waits: true, keepsTerminal: false });
    created.directory[Symbol.dispose]();
    return 0;
  },
});
