import { Daemon } from "@kata-containers/protocols";
import { ops } from "@kata-containers/sys";
import { findContainer } from "../container/find-container.ts";
import { parseGuestProcesses } from "../container/guest-process.ts";
import { askLive, liveState } from "../container/live-daemon.ts";
import { columnsOf, renderProcesses } from "../container/process-columns.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { containerId } from "./container-options.ts";

export const ps = defineCommand({
  name: "ps",
  summary: "list the processes of a container",
  description:
    "As a table: the processes in the guest, with the pids that the container itself sees. As json: pids of the host, " +
    "one kata-shim for the container's process and for each exec. PS-OPTIONS choose the table's columns: -ef (the " +
    "default), aux, -o COLUMNS.",
  args: [
    containerId,
    { name: "PS-OPTIONS", optional: true, rest: true, help: "options of ps: -ef, aux, -o pid,user,cmd" },
  ],
  options: {
    format: { short: "f", value: "FORMAT", choices: ["table", "json"], help: "table (default) or json" },
  },
  async run({ options, args: [id = "", ...psOptions], globals }) {
    const columns = columnsOf(psOptions);
    const details = options.format !== "json";
    using found = await findContainer(globals, id);
    const stopped = (await liveState(found)).status === "stopped";
    const answer = stopped ? undefined : await askLive(found, Daemon.Ps, { id, details });
    const pids = answer?.pids ?? [];
    if (!details) printText(`${pids.length === 0 ? "null" : JSON.stringify(pids)}\n`);
    else {
      const processes = answer === undefined ? [] : parseGuestProcesses(answer.processesJson);
      printText(renderProcesses(processes, columns, ops.realtimeMs()));
    }
    return 0;
  },
});
