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
  options: { force: { short: "f", help: "kill it first if it runs; one that does not exist is no error" } },
  async run({ options: { force }, args: [id = ""], globals }) {
    using directory = open(globals.root, id, force);
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

/** @returns undefined when there is none, and that is no error */
function open(root: string, id: string, force: boolean): RecordDirectory | undefined {
  try {
    return RecordDirectory.open(root, id);
  } catch (error) {
    if (force && error instanceof KataError && error.code === "NotFound") return undefined;
    throw error;
  }
}
