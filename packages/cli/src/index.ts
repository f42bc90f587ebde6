import { commands } from "./commands.ts";
import { renderCompletion as completionOf } from "./completion.ts";
import { globalOptions } from "./globals.ts";
import { renderManPage as manPageOf } from "./man-page.ts";
import { VERSION } from "./version.ts";

/** The bash completion script of kata-runtime. */
export function renderCompletion(): string {
  return completionOf(commands, globalOptions);
}

/** kata-runtime(8). */
export function renderManPage(): string {
  return manPageOf(commands, globalOptions, VERSION);
}
