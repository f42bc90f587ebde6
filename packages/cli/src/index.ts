import { VERSION } from "@kata-containers/sys";
import { commands } from "./commands.ts";
import { renderCompletion as completionOf } from "./completion.ts";
import { kataRuntime } from "./kata-runtime.ts";
import { renderManPage as manPageOf } from "./man-page.ts";

/** The bash completion script of kata-runtime. */
export function renderCompletion(): string {
  return completionOf(kataRuntime(commands));
}

/** kata-runtime(8). */
export function renderManPage(): string {
  return manPageOf(kataRuntime(commands), VERSION);
}

export { runProgram } from "./check/run-program.ts";
// What runk, with the same commands, is made of as well.
export type { AnyCommand, Options, Values } from "./command.ts";
export { commandDefiner } from "./command-definer.ts";
export { containerId } from "./commands/container-options.ts";
export { eventsOptions, readInterval } from "./commands/events-options.ts";
export { processOptions } from "./commands/process-options.ts";
export { timingFormat, timingOptions } from "./commands/timing-options.ts";
export { limitOptions, resourcesOption } from "./commands/update-options.ts";
export { renderCompletion as renderProgramCompletion } from "./completion.ts";
export { type ListedContainer, listOptions, ownerOf, printList } from "./container/container-list.ts";
export { wantedProcess } from "./container/exec-process.ts";
export { writePidFile } from "./container/pid-file.ts";
export { printEvent } from "./container/print-event.ts";
export { activatedDescriptors } from "./container/socket-activation.ts";
export { oomEvent, statsEvent } from "./container/stats-event.ts";
export { Stopwatch } from "./container/stopwatch.ts";
export { wantedResources } from "./container/update-resources.ts";
export { dispatch } from "./dispatch.ts";
export { describeFeatures } from "./env/features.ts";
export { writeSpec } from "./env/write-spec.ts";
export { parseGoDuration } from "./go-duration.ts";
export { type JsonValue, jsonText } from "./json-text.ts";
export { renderManPage as renderProgramManPage } from "./man-page.ts";
export { absolutePath } from "./paths.ts";
export { printText } from "./print.ts";
export type { Program } from "./program.ts";
export { parseRootless, rootlessOption } from "./rootless-option.ts";
