import { containerId, Stopwatch, timingFormat, timingOptions } from "@kata-containers/cli";
import { runLaterHooks } from "@kata-containers/launch";
import { containerOptions } from "../container-options.ts";
import { createContainer } from "../create-container.ts";
import { defineCommand } from "../define-command.ts";
import { destroyContainer } from "../destroy-container.ts";
import { openForwarded, waitInForeground } from "../foreground.ts";
import { type ContainerRecord, RecordDirectory } from "../record.ts";
import { warn } from "../report.ts";

export const run = defineCommand({
  name: "run",
  summary: "create and start a container, wait for its end, and delete it",
  description:
    "Exits with the status of the container's process: 128 + N when signal N ended it, 127 when its command is not " +
    "found, 126 when it cannot be executed. Signals go to the container's process.",
  args: [{ ...containerId, help: "the new container's id: letters, digits, and _ + - ." }],
  options: {
    ...containerOptions,
    detach: { short: "d", help: "return when the container runs, and leave it running" },
    ...timingOptions,
    keep: { help: "leave the container there when it has ended" },
    "no-subreaper": { help: "adopt no processes that the container leaves behind, as always" },
  },
  async run({ options, args: [id = ""], globals }) {
    const { detach, keep } = options;
    const stopwatch = new Stopwatch();
    const signals = detach ? undefined : openForwarded();
    const lap = (phase: string) => stopwatch.lap(phase);
    const order = { waits: false, keepsTerminal: !detach, lap };
    const created = await createContainer(id, options, globals, order);
    created.directory[Symbol.dispose]();
    const { record } = created;
    const container = { ...record, annotations: record.annotations ?? {} };
    await runLaterHooks("poststart", record.hooks?.poststart, container, record.pid, warn);
    let status = 0;
    if (signals !== undefined) {
      status = await waitInForeground(created.process, signals);
      signals.close();
      lap("run");
      if (!keep) await deleteEnded(globals.root, record);
      lap("delete");
    }
    stopwatch.print(timingFormat(options));
    return status;
  },
});

/** Unless somebody else has deleted it, and maybe made another one of that id. */
async function deleteEnded(root: string, { id, pid, startTime }: ContainerRecord): Promise<void> {
  using directory = RecordDirectory.openIfThere(root, id);
  const record = directory?.read();
  if (directory === undefined || record?.pid !== pid || record.startTime !== startTime) return;
  await destroyContainer(directory, record);
}
