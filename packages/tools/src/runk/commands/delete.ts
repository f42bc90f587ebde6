import { containerId } from "@kata-containers/cli";
import { KataError } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { destroyContainer } from "../destroy-container.ts";
import { RecordDirectory } from "../record.ts";

export const deleteCommand = defineCommand({
  name: "delete",
  summary: "remove a stopped container and all that was made for it",
  args: [containerId],
  options: { force: { short: "f", help: "kill it first if it lives; one that does not exist is no error" } },
  async run({ options: { force }, args: [id = ""], globals }) {
    // With force, one that does not exist is no error.
    using directory = force
      ? RecordDirectory.openIfThere(globals.root, id)
      : RecordDirectory.open(globals.root, id);
    if (directory === undefined) return 0;
    const record = directory.read();
    const status = record === undefined ? "stopped" : statusOf(globals.root, record);
    // Also one that is only created: OCI runtime-spec, runtime.md, "Delete".
    if (!force && status !== "stopped") {
      throw new KataError(
        "FailedPrecondition",
        `cannot delete container ${id} that is not stopped: ${status}`,
      );
    }
    await destroyContainer(directory, record);
    return 0;
  },
});
