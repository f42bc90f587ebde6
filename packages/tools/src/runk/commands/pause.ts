import { containerId } from "@kata-containers/cli";
import { freeze } from "@kata-containers/launch";
import { KataError } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { RecordDirectory } from "../record.ts";
import { requireCgroups } from "../require-cgroups.ts";

export const pause = defineCommand({
  name: "pause",
  summary: "stop all processes of a container, until resume",
  description:
    "The processes keep their memory and take no processor time. delete --force and kill with SIGKILL end them nevertheless.",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using directory = RecordDirectory.open(globals.root, id);
    const record = directory.mustRead();
    const status = statusOf(globals.root, record);
    if (status !== "created" && status !== "running")
      throw new KataError("FailedPrecondition", "container not running");
    requireCgroups(record);
    await freeze(id, record.cgroups);
    return 0;
  },
});
