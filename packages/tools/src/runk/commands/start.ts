import { containerId } from "@kata-containers/cli";
import { readReport, runLaterHooks } from "@kata-containers/launch";
import type { Status } from "@kata-containers/oci";
import { Fd, isSysError, KataError, O, ops } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { RecordDirectory } from "../record.ts";
import { warn } from "../report.ts";
import { startIsWatched } from "../start-is-watched.ts";

const REPORT_BYTES = 16_384;

/** Lets a created container's process run; with hooks to run, it waits until the program does. */
export const start = defineCommand({
  name: "start",
  summary: "run the process of a container that was created",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using directory = RecordDirectory.open(globals.root, id);
    const record = directory.mustRead();
    checkStatus(statusOf(globals.root, record));
    if (!startIsWatched(record.hooks)) {
      startProcess(directory);
      return 0;
    }
    using started = new Fd(ops.open(directory.startedFifo, O.RDONLY | O.NONBLOCK | O.CLOEXEC, 0));
    startProcess(directory);
    const failure = readReport(await readToEnd(started));
    if (failure !== undefined) throw failure;
    const container = { ...record, annotations: record.annotations ?? {} };
    await runLaterHooks("poststart", record.hooks?.poststart, container, record.pid, warn);
    return 0;
  },
});

/** @throws KataError FailedPrecondition with runc's words */
function checkStatus(status: Status): void {
  const refuse = (why: string) => new KataError("FailedPrecondition", why);
  if (status === "stopped") throw refuse("cannot start a container that has stopped");
  if (status === "running") throw refuse("cannot start an already running container");
  if (status === "paused") throw refuse("cannot start a container in the paused state");
}

function startProcess(directory: RecordDirectory): void {
  try {
    using fifo = new Fd(ops.open(directory.fifo, O.WRONLY | O.NONBLOCK | O.CLOEXEC, 0));
    ops.writeSync(fifo.number, Uint8Array.of(0));
  } catch (error) {
    // No reader: the process has gone meanwhile.
    if (isSysError(error, "ENXIO"))
      throw new KataError("FailedPrecondition", "cannot start a container that has stopped");
    throw error;
  }
  ops.unlink(directory.fifo);
}

/** The process has the other end until its program runs, or it ends; its hooks are bounded in time. */
async function readToEnd(fd: Fd): Promise<string> {
  let text = "";
  for (;;) {
    const bytes = await ops.read(fd.number, REPORT_BYTES);
    if (bytes.length === 0) return text;
    text += ops.utf8Decode(bytes);
  }
}
