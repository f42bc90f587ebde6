import { containerId } from "@kata-containers/cli";
import { thaw } from "@kata-containers/launch";
import { KataError } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { RecordDirectory } from "../record.ts";

export const resume = defineCommand({
  name: "resume",
  summary: "let the processes of a paused container go on",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using directory = RecordDirectory.open(globals.root, id);
    const record = directory.mustRead();
    if (statusOf(globals.root, record) !== "paused")
      throw new KataError("FailedPrecondition", "container not paused");
    thaw(record.cgroups);
    return 0;
  },
});
