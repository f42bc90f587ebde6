import { Daemon, type KillRequest } from "@kata-containers/protocols";
import { KataError, SIG, signalNumber } from "@kata-containers/sys";
import { type FoundContainer, findContainer } from "../container/find-container.ts";
import { LostDaemon } from "../container/lost-daemon.ts";
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
  options: {
    all: { short: "a", help: "send it to every process of the container; one that has stopped is no error" },
  },
  async run({ options, args: [id = "", text], globals }) {
    const signal = text === undefined ? SIG.SIGTERM : signalNumber(text);
    if (signal === undefined)
      throw new KataError("InvalidArgument", `unknown signal ${JSON.stringify(text)}`);
    using found = await findContainer(globals, id);
    const sent = await send(found, { id, execId: "", signal, all: options.all });
    // As runc: all processes of a stopped container are none, and that is no error.
    if (!sent && !options.all) throw notRunning();
    return 0;
  },
});

/** @returns false when the daemon is gone, and the container with it */
async function send({ daemon }: FoundContainer, request: KillRequest): Promise<boolean> {
  if (daemon === undefined) return false;
  try {
    await daemon.call(Daemon.Kill, request, { timeoutMs: KILL_MS });
    return true;
  } catch (error) {
    if (error instanceof LostDaemon) return false;
    throw error instanceof KataError && error.code === "Unavailable" ? notRunning() : error;
  }
}

function notRunning(): KataError {
  return new KataError("FailedPrecondition", "container not running");
}
