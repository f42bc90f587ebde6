import type { AnyCommand } from "./command.ts";
import { type Globals, globalOptions, PROGRAM } from "./globals.ts";

/** kata-runtime, with the commands of one of its bundles, or all. */
export function kataRuntime(commands: readonly AnyCommand<Globals>[]) {
  return {
    name: PROGRAM,
    does: "runs containers in virtual machines of their own",
    summary: "run containers in virtual machines of their own",
    commands,
    globalOptions,
  } as const;
}
