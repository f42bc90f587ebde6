import { deleteContainer } from "../container/delete-container.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

export const deleteCommand = defineCommand({
  name: "delete",
  summary: "remove a stopped container and all that was made for it",
  args: [containerId],
  options: { force: { short: "f", help: "kill it first if it lives; one that does not exist is no error" } },
  async run({ options, args: [id = ""], globals }) {
    await deleteContainer(globals, id, options.force);
    return 0;
  },
});
