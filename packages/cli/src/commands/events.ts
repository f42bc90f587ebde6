import { Daemon } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { type FoundContainer, findContainer } from "../container/find-container.ts";
import { askLive, liveState } from "../container/live-daemon.ts";
import { printEvent } from "../container/print-event.ts";
import { oomEvent, statsEvent } from "../container/stats-event.ts";
import { defineCommand } from "../define-command.ts";
import { containerId } from "./container-options.ts";
import { eventsOptions, readInterval } from "./events-options.ts";

export const events = defineCommand({
  name: "events",
  summary: "print a container's figures and out-of-memory events as JSON lines",
  description:
    "One line each interval, and one whenever the kernel has killed a process of the container for want of memory, until " +
    "the container ends. The figures are those of the guest's control groups.",
  args: [containerId],
  options: eventsOptions,
  async run({ options, args: [id = ""], globals }) {
    const intervalMs = readInterval(options.interval);
    using found = await findContainer(globals, id);
    const notRunning = `container with id ${id} is not running`;
    if (options.stats) {
      const { stats } = await askLive(found, Daemon.Stats, { id }, notRunning);
      if (stats !== undefined) printEvent(statsEvent(id, stats));
      return 0;
    }
    if ((await liveState(found)).status === "stopped") throw new KataError("FailedPrecondition", notRunning);
    await Promise.race([printFigures(found, id, intervalMs), printOoms(found, id)]);
    return 0;
  },
});

/** Until the container has ended, or nobody reads any more. */
async function printFigures(found: FoundContainer, id: string, intervalMs: number): Promise<void> {
  for (;;) {
    await new Promise<void>((resolve) => setTimeout(resolve, intervalMs));
    try {
      const { stats } = await askLive(found, Daemon.Stats, { id });
      if (stats !== undefined && !printEvent(statsEvent(id, stats))) return;
    } catch (error) {
      // The other one says what there is left to say about it.
      const over = error instanceof KataError && ["FailedPrecondition", "Unavailable"].includes(error.code);
      if (over) return new Promise(() => {});
      throw error;
    }
  }
}

async function printOoms({ daemon }: FoundContainer, id: string): Promise<void> {
  let seen = 0;
  let first = true;
  for (;;) {
    const news = await nextEvent(daemon, id, first ? undefined : seen);
    if (news === undefined) return;
    // What was before us is no event of ours.
    if (first) seen = news.ooms;
    first = false;
    for (; seen < news.ooms; seen++) if (!printEvent(oomEvent(id))) return;
    if (news.ended) return;
  }
}

/** @param seen undefined: the count as it is. @returns undefined when the container was deleted */
async function nextEvent(daemon: FoundContainer["daemon"], id: string, seen: number | undefined) {
  try {
    return await daemon?.call(Daemon.NextEvent, { id, oomsSeen: seen ?? 0, atOnce: seen === undefined });
  } catch (error) {
    if (error instanceof KataError && error.code === "NotFound") return undefined;
    throw error;
  }
}
