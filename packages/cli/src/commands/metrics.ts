import { Daemon } from "@kata-containers/protocols";
import { findContainer } from "../container/find-container.ts";
import { askLive } from "../container/live-daemon.ts";
import { memoryCost } from "../container/memory-cost.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { containerId } from "./container-options.ts";

export const metrics = defineCommand({
  name: "metrics",
  summary: "print a sandbox's figures in Prometheus's format",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    const { metrics } = await askLive(found, Daemon.Metrics, { id });
    printText(metrics + memoryCost(found.record));
    return 0;
  },
});
