import { FORWARDED, SignalInbox } from "@kata-containers/shim";
import { KataError } from "@kata-containers/sys";
import { runRow } from "../commands/run.ts";
import { type TimingFormat, timingFormat } from "../commands/timing-options.ts";
import { attend, tellSize } from "../container/attend.ts";
import { type CreatedContainer, createContainer } from "../container/create-container.ts";
import { deleteContainer } from "../container/delete-container.ts";
import { launchFailureStatus } from "../container/exit-status.ts";
import { checkPreserveFds } from "../container/preserve-fds.ts";
import { startContainer } from "../container/start-container.ts";
import { defineCommand } from "../define-command.ts";
import type { Globals } from "../globals.ts";
import { reportError } from "../report-error.ts";

export const runCommand = defineCommand({
  ...runRow,
  async run({ options, args: [id = ""], globals }) {
    checkPreserveFds("run", options["preserve-fds"]);
    using signals = new SignalInbox(FORWARDED);
    let created: CreatedContainer;
    try {
      created = await createContainer({
        id,
        globals,
        signals,
        bundle: options.bundle ?? ".",
        pidFile: options["pid-file"],
        consoleSocket: options["console-socket"],
        detach: options.detach,
      });
    } catch (error) {
      return launchFailure(error, globals);
    }
    const format = timingFormat(options);
    return await (options.detach
      ? detached(created, id, globals, format)
      : foreground(created, id, globals, { format, keep: options.keep }, signals));
  },
});

async function detached(
  created: CreatedContainer,
  id: string,
  globals: Globals,
  format: TimingFormat,
): Promise<number> {
  using daemon = created.daemon;
  try {
    created.stopwatch.tell(await startContainer(daemon, created.record, globals));
  } catch (error) {
    await deleteContainer(globals, id, true);
    return launchFailure(error, globals);
  }
  created.stopwatch.lap("cli: start");
  created.stopwatch.print(format);
  return 0;
}

/** Whatever happens once it is created, the container is deleted, unless it ran and is to be kept. */
async function foreground(
  created: CreatedContainer,
  id: string,
  globals: Globals,
  { format, keep }: { readonly format: TimingFormat; readonly keep: boolean },
  signals: SignalInbox,
): Promise<number> {
  using daemon = created.daemon;
  let status: number;
  try {
    // Before its first instruction, which may ask for it.
    if (created.terminal) await tellSize({ daemon, id, execId: "" });
    created.stopwatch.tell(await startContainer(daemon, created.record, globals));
    created.stopwatch.lap("cli: start");
    status = await attend({ ...created, signals, id, execId: "", terminal: created.terminal });
    created.stopwatch.lap("cli: run");
  } catch (error) {
    await deleteContainer(globals, id, true);
    return launchFailure(error, globals);
  }
  if (!keep) await deleteContainer(globals, id, true);
  created.stopwatch.lap("cli: delete");
  created.stopwatch.print(format);
  return status;
}

function launchFailure(error: unknown, globals: Globals): number {
  if (!(error instanceof KataError)) throw error;
  reportError(globals, error.message);
  return launchFailureStatus(error.message);
}
