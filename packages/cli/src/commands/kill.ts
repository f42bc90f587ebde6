import { Daemon } from "@kata-containers/protocols";
import { KataError, SIG, signalNumber } from "@kata-containers/sys";
import { findContainer } from "../container/find-container.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";

/** The daemon asks the agent; it has a time-out of its own. */
const KILL_MS = 120_000;

export const kill = defineCommand({
  name: "kill",
  summary: "send a signal to a container's process",
  args: [
    containerId,
    { name: "SIGNAL", optional: true, help: "a name or a number: TERM (the default), SIGKILL, 9" },
  ],
  options: { all: { short: "a", help: "send it to every process of the container" } },
  async run({ options, args: [id = "", text], globals }) {
    const signal = text === undefined ? SIG.SIGTERM : signalNumber(text);
    if (signal === undefined)
      throw new KataError("InvalidArgument", `unknown signal ${JSON.stringify(text)}`);
    using found = await findContainer(globals, id);
    if (found.daemon === undefined) throw notRunning();
    try {
      await found.daemon.call(
        Daemon.Kill,
        { id, execId: "", signal, all: options.all },
        { timeoutMs: KILL_MS },
      );
    } catch (error) {
      throw error instanceof KataError && error.code === "Unavailable" ? notRunning() : error;
    }
    return 0;
  },
});

function notRunning(): KataError {
  return new KataError("FailedPrecondition", "container not running");
}
