import { ops } from "./ops.ts";
import { describeError } from "./stack.ts";

declare global {
  /** Called by the engine with the reason of a promise that was rejected and that nobody waits for. */
  var __unhandledRejection: ((reason: unknown) => void) | undefined;
}

/** Exit status of a program that broke: EX_SOFTWARE of sysexits.h. */
export const EXIT_BROKEN = 70;

/**
 * A program's entry. Runs `main` with argv ([0] = the program's name) and exits with the status it returns.
 * An error that `main` lets through, and a rejected promise that nobody handles, are defects: they are printed in one
 * line with TypeScript positions, and the status is 70.
 * @param program what messages begin with, where that is not argv[0]
 */
export function runMain(main: (argv: readonly string[]) => Promise<number>, program?: string): void {
  const end = (error: unknown) => broken(error, program ?? ops.args()[0] ?? "kata");
  globalThis.__unhandledRejection = end;
  start(main).then((status) => ops.exit(status), end);
}

/** An async function, so that what `main` throws before its first await is caught as well. */
async function start(main: (argv: readonly string[]) => Promise<number>): Promise<number> {
  return await main(ops.args());
}

function broken(error: unknown, program: string): void {
  const line = describeError(error)
    .trim()
    .replaceAll(/\s*\n\s*/g, "; ");
  try {
    ops.writeSync(2, ops.utf8Encode(`${program}: ${line}\n`));
  } finally {
    ops.exit(EXIT_BROKEN);
  }
}
