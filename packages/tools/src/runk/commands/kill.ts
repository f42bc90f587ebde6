import { containerId } from "@kata-containers/cli";
import { isFrozen, signalAll, thawIfPossible } from "@kata-containers/launch";
import { KataError, ops, SIG, signalNumber } from "@kata-containers/sys";
import { openProcess } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { RecordDirectory } from "../record.ts";

export const kill = defineCommand({
  name: "kill",
  summary: "send a signal to a container's process",
  args: [
    containerId,
    {
      name: "SIGNAL",
      optional: true,
      help: "a name or a number: TERM (the default), SIGKILL, 9; 0: none, but tell whether it runs",
    },
  ],
  options: { all: { short: "a", help: "send it to every process of the container" } },
  async run({ options, args: [id = "", text = "SIGTERM"], globals }) {
    // 0: is there anybody (kill(2)).
    const signal = text === "0" ? 0 : signalNumber(text);
    if (signal === undefined)
      throw new KataError("InvalidArgument", `unknown signal ${JSON.stringify(text)}`);
    using directory = RecordDirectory.open(globals.root, id);
    const { cgroups, ...record } = directory.mustRead();
    if (options.all) {
      await signalAll(id, cgroups, signal);
      return 0;
    }
    using process = openProcess(record);
    if (process === undefined) throw new KataError("FailedPrecondition", "container not running");
    ops.pidfdSendSignal(process.number, signal);
    // A process of v1's freezer is dead only when it runs again.
    if (signal === SIG.SIGKILL && isFrozen(cgroups)) thawIfPossible(cgroups);
    return 0;
  },
});
