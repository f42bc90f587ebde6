import { Daemon } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { findContainer } from "../container/find-container.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { containerId } from "./container-options.ts";

/** The daemon asks the agent; it has a time-out of its own. */
const METRICS_MS = 120_000;

export const metrics = defineCommand({
  name: "metrics",
  summary: "print a sandbox's figures in Prometheus's format",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    if (found.daemon === undefined) throw new KataError("FailedPrecondition", "container not running");
    const answer = await found.daemon.call(Daemon.Metrics, { id }, { timeoutMs: METRICS_MS });
    printText(answer.metrics);
    return 0;
  },
});
